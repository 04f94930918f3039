package io.tfspark.sql

import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression
import org.apache.spark.sql.catalyst.plans.logical.{Aggregate, LogicalPlan, Project}

/** Moves an aggregate's calls on its results above the aggregate. Calls in its groups and arguments
  * are evaluated below it.
  */
private[sql] object ExtractFromAggregate {

  def apply(aggregate: Aggregate): LogicalPlan =
    if (!aggregate.aggregateExpressions.exists(isAbove(aggregate, _))) aggregate
    else {
      val split = aggregate.aggregateExpressions.map { expression =>
        if (isAbove(aggregate, expression)) lift(aggregate, expression)
        else (expression.toAttribute, Seq(expression))
      }
      val below = aggregate.copy(aggregateExpressions = split.flatMap(_._2).distinct)
      Project(split.map(_._1), below)
    }

  private def isResult(aggregate: Aggregate, expression: Expression): Boolean =
    expression.isInstanceOf[AggregateExpression] ||
      aggregate.groupingExpressions.exists(_.semanticEquals(expression))

  private def isAbove(aggregate: Aggregate, expression: Expression): Boolean = expression match {
    // Its argument belongs to the input rows of the aggregate.
    case _: AggregateExpression => false
    case call: TfPredict =>
      !aggregate.groupingExpressions.exists(_.semanticEquals(call)) &&
      (call.references.isEmpty || call.exists(isResult(aggregate, _)))
    case other => other.children.exists(isAbove(aggregate, _))
  }

  private def lift(
      aggregate: Aggregate,
      expression: NamedExpression
  ): (NamedExpression, Seq[NamedExpression]) = {
    val found = Seq.newBuilder[NamedExpression]
    val lifted = expression.transformDown {
      case part if isResult(aggregate, part) =>
        val named = part match {
          case one: NamedExpression => one
          case other => Alias(other, "agg")()
        }
        found += named
        named.toAttribute
    }
    (lifted.asInstanceOf[NamedExpression], found.result())
  }
}
