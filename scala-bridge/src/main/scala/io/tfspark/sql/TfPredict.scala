package io.tfspark.sql

import io.tfspark.error.ForeignText
import io.tfspark.model._
import org.apache.spark.sql.catalyst.expressions.{Expression, Unevaluable, UserDefinedExpression}
import org.apache.spark.sql.types.DataType

/** The parts of a call: the model, the signature, and the binding of arguments to inputs.
  * Serialisable.
  *
  * @param binding the columns of its inputs are named by `ModelCall.argument`
  */
final case class ModelCall(
    located: LocatedModel,
    signature: Signature,
    binding: Binding,
    batchRows: Option[Int] = None,
    labels: Seq[String] = Nil
) {

  /** The name of an argument in messages: the user's column if it is known, otherwise its position.
    */
  def label(position: Int): String = labels.lift(position).getOrElse(ModelCall.argument(position))

  /** The name of the model for messages. */
  def title: String = located.model.title

  override def toString: String = ForeignText.oneLine(s"$title ${signature.name}")
}

object ModelCall {

  /** A call whose arguments are the columns of a binding, in its order; messages keep the column
    * names of the binding.
    */
  def of(
      located: LocatedModel,
      signature: Signature,
      binding: Binding,
      batchRows: Option[Int]
  ): ModelCall = {
    val starts = binding.inputs.map(_.columns.size).scanLeft(0)(_ + _)
    val inputs = binding.inputs.zip(starts).map { case (input, start) =>
      input.copy(columns = input.columns.indices.map(index => argument(start + index)))
    }
    ModelCall(
      located,
      signature,
      binding.copy(inputs = inputs),
      batchRows,
      binding.inputs.flatMap(_.columns)
    )
  }

  /** The name in messages of the argument at a position. */
  def argument(position: Int): String = s"argument ${position + 1}"
}

/** A call of a model in an expression. Driver only: `ExtractCalls` moves it into a `TfBatchEval`
  * before anything runs.
  *
  * Spark may copy and repeat a deterministic expression, so a call of a model that draws random
  * numbers is not deterministic. Spark takes only nondeterministic expressions of users out of
  * sorts and groups.
  *
  * @param children the arguments, without model and signature
  */
final case class TfPredict(call: ModelCall, children: Seq[Expression]) extends Expression
    with Unevaluable with UserDefinedExpression {
  override def dataType: DataType = call.binding.result
  override def nullable: Boolean = true
  override def prettyName: String = "tf_predict"
  override def name: String = prettyName
  override lazy val deterministic: Boolean =
    call.located.model.random.isEmpty && children.forall(_.deterministic)

  override def sql: String =
    s"$prettyName(${(call.located.model.name +: children.map(_.sql)).mkString(", ")})"
  override def toString: String = s"$prettyName($call, ${children.mkString(", ")})"

  override protected def withNewChildrenInternal(newChildren: IndexedSeq[Expression]): TfPredict =
    copy(children = newChildren)
}

object TfPredict {

  /** Whether an expression holds a call. */
  def isIn(expression: Expression): Boolean = expression.exists(_.isInstanceOf[TfPredict])
}
