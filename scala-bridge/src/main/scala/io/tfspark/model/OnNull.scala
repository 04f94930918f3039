package io.tfspark.model

import io.tfspark.error._

/** The treatment of a row with a null in an input. Driver; serialisable. */
sealed trait OnNull {

  /** The rule of one input. */
  def rule(spec: TensorSpec): NullRule
}

object OnNull {

  /** The outputs of the row are null. */
  case object GiveNull extends OnNull {
    def rule(spec: TensorSpec): NullRule = NullRule()
  }

  /** The scoring ends with an error that names the row. */
  case object Refuse extends OnNull {
    def rule(spec: TensorSpec): NullRule = NullRule(refuse = true)
  }

  /** A number replaces every null number; a null text or boolean still gives null. */
  final case class Fill(value: Any) extends OnNull {
    def rule(spec: TensorSpec): NullRule = (spec.dtype, value) match {
      case ("bool", _: Boolean) => NullRule(fill = Some(value))
      case ("string" | "bool", _) => NullRule()
      case _ => NullRule(fill = Some(value))
    }
  }

  /** For each named input, a value replaces its nulls. */
  final case class FillEach(values: Map[String, Any]) extends OnNull {
    def rule(spec: TensorSpec): NullRule = NullRule(fill = values.get(spec.name))
  }

  /** Refuse fills of inputs that do not exist. */
  def check(onNull: OnNull, signature: Signature): Unit = onNull match {
    case FillEach(values) =>
      val names = signature.inputs.map(_.name)
      values.keys.find(!names.contains(_)).foreach { name =>
        val near = Explain.didYouMean(name, names)
        throw new UsageException(Explain(
          s"on_null names '$name', which is not an input.$near",
          expected = Explain.listing(names),
          found = name
        ))
      }
    case _ => ()
  }
}

/** The treatment of a null in one input. Serialisable.
  *
  * A fill replaces a null value or a null element of an array. A null array has no length, so it
  * cannot be filled and its row still gives null.
  *
  * @param refuse whether a null ends the scoring with an error that names the row
  * @param fill a number, a boolean, text or bytes to feed in its place
  * @param option the caller's spelling of the option that refuses nulls
  */
final case class NullRule(
    refuse: Boolean = false,
    fill: Option[Any] = None,
    option: String = "on_null"
) {

  /** Calls with equal rules are run once, and 0.0 == -0.0 although models tell them apart. */
  override def equals(other: Any): Boolean = other match {
    case rule: NullRule => rule.facts == facts
    case _ => false
  }

  override def hashCode: Int = facts.hashCode

  private def facts: Product = (refuse, fill.map(text), option)

  private def text(value: Any): Any = value match {
    case bytes: Array[Byte] => bytes.toSeq
    case other => other.getClass -> other.toString
  }
}
