package io.tfspark.sql

import scala.util.Try

import io.tfspark.error._
import io.tfspark.model._
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.internal.SQLConf
import org.apache.spark.sql.types._

/** The arguments of a call as columns that feed a signature. Driver.
  *
  * @param expressions the expressions that are evaluated for each row
  * @param names their column names in the binding
  * @param feed input → names; an input that is not listed uses the argument with its own name
  */
final private[sql] case class CallArguments(
    expressions: Seq[Expression],
    names: Seq[String],
    feed: Map[String, Seq[String]]
)

/** Assigns arguments to inputs: in the signature's documented order, as elements of a single vector
  * input, or by the names of the fields of one struct.
  */
private[sql] object CallArguments {

  /** @param inOrder whether the arguments are in the order of the inputs, regardless of their names
    */
  def of(signature: Signature, arguments: Seq[Expression], inOrder: Boolean): CallArguments =
    arguments match {
      case Seq(struct) if isRow(struct.dataType) => ofFields(signature, struct)
      case _ =>
        if (!inOrder) checkOrder(signature, arguments)
        ofPositions(signature, arguments)
    }

  /** Text that shows the correct form of a call. */
  def inOrder(signature: Signature): String = {
    val names = signature.inputs.map(_.name)
    val fields = names.map(name => s"… AS $name").mkString(", ")
    s"call it with one argument per input, in this order: ${names.mkString(", ")}; or struct($fields)."
  }

  /** Whether an argument is a struct whose fields feed the inputs. */
  private def isRow(kind: DataType): Boolean =
    kind.isInstanceOf[StructType] && ColumnForm.of(kind).isEmpty

  private def ofFields(signature: Signature, struct: Expression): CallArguments = {
    val fields = struct.dataType.asInstanceOf[StructType].fieldNames.toSeq
    val parts = fields.zipWithIndex.map { case (name, at) =>
      GetStructField(struct, at, Some(name))
    }
    val isByName = signature.inputs.size > 1 || signature.inputs.exists { spec =>
      ColumnAtHand.resolve(spec.name, fields, SQLConf.get.caseSensitiveAnalysis).isDefined
    }
    val feed = if (isByName) Map.empty[String, Seq[String]]
    else signature.inputs.map(_.name -> fields).toMap
    CallArguments(parts, fields, feed)
  }

  private def ofPositions(signature: Signature, arguments: Seq[Expression]): CallArguments = {
    val adapted = signature.inputs.zip(assign(signature, arguments)).map { case (spec, given) =>
      given.map(adapt(spec, _))
    }
    val names = adapted.flatten.indices.map(ModelCall.argument)
    val starts = adapted.map(_.size).scanLeft(0)(_ + _)
    val feed = signature.inputs.lazyZip(starts).lazyZip(adapted).map { (spec, start, given) =>
      spec.name -> names.slice(start, start + given.size)
    }
    CallArguments(adapted.flatten, names, feed.toMap)
  }

  /** Refuse columns that have the names of the inputs but another order. */
  private def checkOrder(signature: Signature, arguments: Seq[Expression]): Unit = {
    val names = signature.inputs.map(_.name)
    val found = arguments.flatMap(nameOf)
    def folded(many: Seq[String]) = many.map(_.toLowerCase)
    if (
      found.size == arguments.size && folded(found) != folded(names) &&
      folded(found).sorted == folded(names).sorted
    )
      throw new BindingException(Explain(
        s"The columns are those of signature '${signature.name}', but in another order.",
        expected = names.mkString(", "),
        found = found.mkString(", "),
        hint = s"pass struct(${names.mkString(", ")}), whose fields are bound by name."
      ))
  }

  /** The name of a column or field, even inside a cast. */
  private def nameOf(argument: Expression): Option[String] = argument match {
    case column: Attribute => Some(column.name)
    case outer: OuterReference => Some(outer.name)
    case GetStructField(_, _, name) => name
    case cast: Cast => nameOf(cast.child)
    case _ => None
  }

  /** The arguments of each input. */
  private def assign(signature: Signature, arguments: Seq[Expression]): Seq[Seq[Expression]] =
    if (arguments.size == signature.inputs.size)
      signature.inputs.zip(arguments).map { case (spec, argument) => unwrapped(spec, argument) }
    else if (signature.inputs.size == 1 && arguments.nonEmpty) Seq(arguments)
    else
      throw new BindingException(
        Explain(
          s"Signature '${signature.name}' takes another number of arguments.",
          expected = signature.inputs.mkString("; "),
          found = s"${arguments.size} arguments",
          hint = inOrder(signature)
        )
      )

  /** `array(a, b)` of scalars for a vector is the same call as `a, b`, and is evaluated with it. */
  private def unwrapped(spec: TensorSpec, argument: Expression): Seq[Expression] = argument match {
    case array: CreateArray
        if spec.rowShape.exists(_.size == 1) && array.children.size > 1 &&
          array.children.forall(child => DType.elementOf(child.dataType)._2 == 0) =>
      array.children
    case other => Seq(other)
  }

  /** Converts a constant to the type of its input if its value fits exactly: 1, 2.5 and array(1, 2)
    * are not rounded, and need no permission to feed integers.
    */
  private def adapt(spec: TensorSpec, argument: Expression): Expression = {
    val (element, depth) = DType.elementOf(argument.dataType)
    val converted = for {
      dtype <- DType.of(spec.dtype)
      if argument.foldable && element.isInstanceOf[NumericType] && !DType.conversion(
        element,
        dtype
      ).contains(Conversion.Exact)
      target = DType.nested(dtype.sql, depth)
      literal <- Try(exactly(argument, target)).toOption.flatten
    } yield literal
    converted.getOrElse(argument)
  }

  private def exactly(argument: Expression, target: DataType): Option[Expression] = {
    val value = argument.eval()
    val literal = Literal(Cast(argument, target).eval(), target)
    Option.when(Cast.canCast(
      argument.dataType,
      target
    ) && Cast(literal, argument.dataType).eval() == value)(literal)
  }
}
