package io.tfspark.model

import io.tfspark.error._

/** What becomes of a row with a null in an input. Driver; serialisable. */
sealed trait OnNull {

  /** The rule of one input. */
  def rule(spec: TensorSpec): NullRule
}

object OnNull {

  /** Its outputs are null. */
  case object GiveNull extends OnNull {
    def rule(spec: TensorSpec): NullRule = NullRule()
  }

  /** The scoring ends with an error that names it. */
  case object Refuse extends OnNull {
    def rule(spec: TensorSpec): NullRule = NullRule(refuse = true)
  }

  /** A number is fed in place of every null number; a null text still gives null. */
  final case class Fill(value: Any) extends OnNull {
    def rule(spec: TensorSpec): NullRule =
      if (spec.dtype == "string") NullRule() else NullRule(fill = Some(value))
  }

  /** A value is fed in place of the nulls of each input that is named. */
  final case class FillEach(values: Map[String, Any]) extends OnNull {
    def rule(spec: TensorSpec): NullRule = NullRule(fill = values.get(spec.name))
  }

  /** Refuse fills of inputs that there are not. */
  def check(onNull: OnNull, signature: Signature): Unit = onNull match {
    case FillEach(values) =>
      val names = signature.inputs.map(_.name)
      values.keys.find(!names.contains(_)).foreach { name =>
        val near = Explain.didYouMean(name, names)
        throw new UsageException(Explain(
          s"on_null names '$name', which is no input.$near",
          expected = Explain.listing(names),
          found = name
        ))
      }
    case _ => ()
  }
}

/** What becomes of a null in one input. Serialisable.
  *
  * A fill stands for a null value and for a null element of an array. A null array has no length
  * that a fill could have, so its row still gives null.
  *
  * @param refuse whether a null ends the scoring with an error that names the row
  * @param fill a number, a boolean, text or bytes to feed in its place
  * @param option how the caller asks for the refusal
  */
final case class NullRule(
    refuse: Boolean = false,
    fill: Option[Any] = None,
    option: String = "on_null"
)
