package io.tfspark.sql

import org.apache.spark.sql.catalyst.expressions.{Alias, Attribute, AttributeSet}
import org.apache.spark.sql.catalyst.plans.logical.{LogicalPlan, Project, UnaryNode}

/** Evaluates calls of models in batches, and adds their results to the rows of the child. Driver.
  *
  * @param calls their arguments are attributes of the child
  * @param results one per call
  * @param keep attributes of the child that are kept beside the results
  */
final case class TfBatchEval(
    calls: Seq[TfPredict],
    results: Seq[Attribute],
    keep: Seq[Attribute],
    child: LogicalPlan
) extends UnaryNode {
  override def output: Seq[Attribute] = keep ++ results
  override def producedAttributes: AttributeSet = AttributeSet(results)
  override def maxRows: Option[Long] = child.maxRows
  override def maxRowsPerPartition: Option[Long] = child.maxRowsPerPartition

  /** The result of an equal call, if there is one here. */
  def resultOf(call: TfPredict): Option[Attribute] =
    calls.map(asWritten).zip(results).collectFirst {
      case (own, result) if own.semanticEquals(call) => result
    }

  /** A call with its original argument expressions, which the project below computes. */
  private def asWritten(call: TfPredict): TfPredict = child match {
    case Project(list, _) =>
      val computed = list.collect { case alias: Alias => alias.exprId -> alias.child }.toMap
      call.copy(children = call.children.map {
        case attribute: Attribute => computed.getOrElse(attribute.exprId, attribute)
        case other => other
      })
    case _ => call
  }

  override protected def withNewChildInternal(newChild: LogicalPlan): TfBatchEval =
    copy(child = newChild)
}
