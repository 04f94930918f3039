package io.tfspark.sql

import io.tfspark.error._
import org.apache.spark.sql.catalyst.expressions.LambdaFunction
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan

/** Refuses calls where rows cannot be gathered into batches, at analysis. Driver. */
object CheckCalls extends (LogicalPlan => Unit) {

  override def apply(plan: LogicalPlan): Unit = plan.foreachWithSubqueries { node =>
    node.expressions.foreach(_.foreach {
      case LambdaFunction(body, _, _) if TfPredict.isIn(body) =>
        throw TfPredictFunction.refusal(
          Explain(
            "A model cannot be called inside a lambda function.",
            found = body.sql,
            hint = "explode the array, call the model on the rows, and collect them again."
          )
        )
      case _ => ()
    })
  }
}
