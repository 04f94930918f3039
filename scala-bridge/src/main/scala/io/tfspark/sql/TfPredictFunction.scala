package io.tfspark.sql

import scala.util.Try

import io.tfspark.error._
import io.tfspark.model._
import org.apache.hadoop.conf.Configuration
import org.apache.spark.sql.AnalysisException
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.types._

/** Makes calls out of the arguments of a SQL function, and raises what can be known from them.
  * Driver.
  *
  * Arguments are the inputs in the signature's documented order (sorted by name), or the elements
  * of a single vector input.
  */
object TfPredictFunction {

  /** `tf_predict(model, [signature,] inputs…)`. */
  def build(arguments: Seq[Expression], conf: Configuration): Expression = refusing {
    arguments match {
      case model +: inputs => call(ModelCatalog.ofUser(constant(model), conf), inputs)
      case _ => throw new UsageException(Explain("tf_predict needs a model.", expected = usage))
    }
  }

  /** `name([signature,] inputs…)` of a model that the operator registered under a name. */
  def named(path: String, conf: Configuration)(arguments: Seq[Expression]): Expression =
    refusing(call(ModelCatalog.at(path, None, conf), arguments))

  /** A call of a model that is known already; its arguments may begin with a signature. */
  def call(located: LocatedModel, arguments: Seq[Expression]): TfPredict = {
    val (signature, inputs) = signatureOf(located.model, arguments)
    callOf(located, signature, inputs, None, BridgeConf.bindingOptions)
  }

  /** A call of a signature. */
  def callOf(
      located: LocatedModel,
      signature: Signature,
      arguments: Seq[Expression],
      fetch: Option[Seq[(String, String)]],
      options: BindingOptions
  ): TfPredict = {
    val perInput = assign(signature, arguments)
    val adapted = signature.inputs.zip(perInput).map { case (spec, given) =>
      given.map(adapt(spec, _))
    }
    val flat = adapted.flatten
    val names = flat.indices.map(ModelCall.argument)
    val starts = adapted.map(_.size).scanLeft(0)(_ + _)
    val feed = signature.inputs.zip(starts).zip(adapted).map { case ((spec, start), given) =>
      spec.name -> names.slice(start, start + given.size)
    }
    val columns = flat.zip(names).map { case (expression, name) =>
      ColumnAtHand(name, expression.dataType)
    }
    val binding =
      Binding.bind(signature, columns, feed.toMap, fetch, options, hint = inOrder(signature))
    TfPredict(ModelCall(located, signature, binding), flat)
  }

  /** Raise tfspark's errors as Spark's own refusals of a query. */
  def refusing[A](body: => A): A =
    try body
    catch {
      case error: TfsparkException => throw refusal(error.getMessage, Some(error))
    }

  /** A refusal of a query, of the class whose text is its message and nothing else. */
  def refusal(message: String, cause: Option[Throwable] = None): AnalysisException =
    new AnalysisException("_LEGACY_ERROR_TEMP_1332", Map("errorMessage" -> message), cause)

  private val usage = "tf_predict(model, [signature,] inputs…)"

  private def constant(model: Expression): String = model.dataType match {
    case _: StringType if model.foldable && Option(model.eval()).isDefined => model.eval().toString
    case _ =>
      throw new UsageException(
        Explain(
          "The model of tf_predict has to be known before the query runs.",
          expected = s"a constant string, as in $usage",
          found = model.sql
        )
      )
  }

  /** The signature that a first constant string names, and the arguments after it. */
  private def signatureOf(
      model: ModelPackage,
      arguments: Seq[Expression]
  ): (Signature, Seq[Expression]) =
    arguments match {
      case name +: rest if rest.nonEmpty && isText(name) =>
        val text = name.eval().toString
        model.signatures.find(_.name == text) match {
          case Some(signature) => (signature, rest)
          // A string that no input of the default signature takes can only be a signature's name.
          case None if !model.signature().inputs.exists(_.dtype == "string") =>
            (model.signature(text), rest)
          case None => (model.signature(), arguments)
        }
      case _ => (model.signature(), arguments)
    }

  private def isText(expression: Expression): Boolean =
    expression.dataType.isInstanceOf[StringType] && expression.foldable && Option(
      expression.eval()
    ).isDefined

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

  /** A constant whose value fits exactly takes the type of its input: 1, 2.5 and array(1, 2) are no
    * doubles to narrow.
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

  private def inOrder(signature: Signature): String =
    s"call it with one argument per input, in this order: ${signature.inputs.map(_.name).mkString(", ")}."
}
