package io.tfspark.sql

import org.apache.spark.sql.catalyst.expressions.AttributeSet
import org.apache.spark.sql.catalyst.plans.logical._
import org.apache.spark.sql.catalyst.rules.Rule

/** Keeps beside results only the columns that are used above; otherwise the features would be
  * copied for every row. Driver.
  */
private[sql] object PruneKept extends Rule[LogicalPlan] {

  override def apply(plan: LogicalPlan): LogicalPlan = plan.transformDown {
    case project @ Project(list, child) =>
      project.copy(child = prune(child, AttributeSet.fromAttributeSets(list.map(_.references))))
    case aggregate: Aggregate =>
      aggregate.withNewChildren(Seq(prune(aggregate.child, aggregate.references)))
  }

  private def prune(plan: LogicalPlan, used: AttributeSet): LogicalPlan = plan match {
    case filter @ Filter(condition, child) =>
      filter.copy(child = prune(child, used ++ condition.references))
    case eval: TfBatchEval =>
      val wanted = eval.calls.zip(eval.results).filter { case (_, result) => used.contains(result) }
      if (wanted.isEmpty) prune(eval.child, used)
      else {
        val kept = eval.copy(wanted.map(_._1), wanted.map(_._2), eval.keep.filter(used.contains))
        kept.copy(child = prune(kept.child, kept.references))
      }
    case other => other
  }
}

/** Lets a limit drop rows before they are scored. Driver. */
private[sql] object PushLimits extends Rule[LogicalPlan] {

  override def apply(plan: LogicalPlan): LogicalPlan = plan.transformDown {
    case limit @ LocalLimit(_, project @ Project(_, eval: TfBatchEval)) =>
      limit.copy(child = project.copy(child = below(limit, eval)))
    case limit @ LocalLimit(_, eval: TfBatchEval) => limit.copy(child = below(limit, eval))
  }

  private def below(limit: LocalLimit, eval: TfBatchEval): TfBatchEval = eval.child match {
    case _: LocalLimit => eval
    case child => eval.copy(child = LocalLimit(limit.limitExpr, child))
  }
}
