package io.tfspark.sql

import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan
import org.apache.spark.sql.execution.{SparkPlan, SparkStrategy}

/** Plans `TfBatchEval`, and extracts calls that an optimizer rule created after `ExtractCalls` ran.
  */
object TfStrategy extends SparkStrategy {

  override def apply(plan: LogicalPlan): Seq[SparkPlan] = plan match {
    case TfBatchEval(calls, results, keep, child) =>
      Seq(TfBatchEvalExec(calls, results, keep, BridgeConf.batchSize, planLater(child)))
    case other if ExtractCalls.areIn(other) => Seq(planLater(ExtractCalls(other)))
    case _ => Nil
  }
}
