package io.tfspark.sql

import io.tfspark.error._
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.plans.logical.{Filter, LogicalPlan}

/** Refuses calls in places where rows cannot be batched, at analysis. Driver. */
object CheckCalls extends (LogicalPlan => Unit) with PredicateHelper {

  override def apply(plan: LogicalPlan): Unit = plan.foreachWithSubqueries { node =>
    node.expressions.foreach(_.foreach {
      case LambdaFunction(body, _, _) if TfPredict.isIn(body) => throw inLambda(body)
      case subquery: Exists =>
        correlation(subquery.plan).foreach(found => throw inCorrelation(found))
      case subquery: ListQuery =>
        correlation(subquery.plan).foreach(found => throw inCorrelation(found))
      case _ => ()
    })
  }

  /** A condition that contains a call and correlates a subquery with the outer query. Spark makes
    * it the condition of a semi join, where the call cannot be evaluated.
    */
  private def correlation(plan: LogicalPlan): Option[Expression] =
    plan
      .collect { case filter: Filter => splitConjunctivePredicates(filter.condition) }
      .flatten
      .find(one => TfPredict.isIn(one) && one.exists(_.isInstanceOf[OuterReference]))

  private def inLambda(body: Expression): Exception =
    refusal(
      "inside a lambda function",
      body,
      "explode the array, call the model on the rows, and collect them again."
    )

  private def inCorrelation(condition: Expression): Exception =
    refusal(
      "in a condition that correlates an EXISTS or IN subquery with the outer query",
      condition,
      "call it in a subquery of the table whose columns it takes, and compare its result."
    )

  private def refusal(where: String, found: Expression, hint: String): Exception =
    TfPredictFunction.refusal(Explain(s"A model cannot be called $where.", "", found.sql, hint))
}
