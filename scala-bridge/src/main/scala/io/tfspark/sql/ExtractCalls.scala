package io.tfspark.sql

import io.tfspark.error._
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.optimizer.ColumnPruning
import org.apache.spark.sql.catalyst.plans.InnerLike
import org.apache.spark.sql.catalyst.plans.logical._
import org.apache.spark.sql.catalyst.rules.Rule

/** Moves calls out of expressions into `TfBatchEval` nodes, as Spark does for Python functions.
  * Driver.
  *
  * Runs once, after the optimizer's operator rules and before scans are planned. A planner strategy
  * alone would run too late, because Spark merges projects and filters into the scan. It also runs
  * inside subqueries, which Spark rewrites into joins only later. Equal calls are merged.
  */
object ExtractCalls extends Rule[LogicalPlan] with PredicateHelper {

  /** Whether a plan still has calls in its expressions. */
  def areIn(plan: LogicalPlan): Boolean = plan.exists {
    case _: TfBatchEval => false
    case other => other.expressions.exists(TfPredict.isIn)
  }

  override def apply(plan: LogicalPlan): LogicalPlan =
    if (!areIn(plan)) plan
    else {
      val extracted = FileOfRow(plan.transformUp {
        case done: TfBatchEval => done
        case other if other.expressions.exists(TfPredict.isIn) => extract(prepare(other))
      })
      // The columns kept beside the results determine the columns read below, so pruning runs
      // twice.
      PushLimits(ColumnPruning(PruneKept(ColumnPruning(PruneKept(extracted)))))
    }

  /** Split an operator so that each of its calls is evaluated on the right rows. */
  private def prepare(plan: LogicalPlan): LogicalPlan = plan match {
    case filter: Filter => splitFilter(filter)
    case aggregate: Aggregate => ExtractFromAggregate(aggregate)
    case join: Join => splitJoin(join)
    case other => other
  }

  /** Evaluate conditions without calls first, so that the rows they drop are not scored. */
  private def splitFilter(filter: Filter): LogicalPlan = {
    val (called, plain) = splitConjunctivePredicates(filter.condition).partition(TfPredict.isIn)
    val (first, last) = plain.partition(FileOfRow.isFixed)
    first.reduceLeftOption(And).fold[LogicalPlan](filter) { condition =>
      Filter((called ++ last).reduceLeft(And), Filter(condition, filter.child))
    }
  }

  /** In an inner join, a condition with a call that needs both sides becomes a filter above the
    * join.
    */
  private def splitJoin(join: Join): LogicalPlan = {
    def needsBoth(condition: Expression): Boolean = condition.exists {
      case call: TfPredict =>
        !join.children.exists(side => call.references.subsetOf(side.outputSet))
      case _ => false
    }
    val (above, inside) =
      join.condition.toSeq.flatMap(splitConjunctivePredicates).partition(needsBoth)
    above.reduceLeftOption(And).fold[LogicalPlan](join) { condition =>
      join.joinType match {
        case _: InnerLike =>
          Filter(condition, extract(join.copy(condition = inside.reduceLeftOption(And))))
        case _ => throw acrossJoin(condition)
      }
    }
  }

  /** Evaluate the innermost calls of an operator below it, until none is left. */
  private def extract(plan: LogicalPlan): LogicalPlan = plan match {
    case done: TfBatchEval => done
    case other if areIn(other) =>
      val below = other.mapChildren(extract)
      if (other.expressions.exists(TfPredict.isIn)) extractInto(below) else below
    case other => other
  }

  private def extractInto(below: LogicalPlan): LogicalPlan = {
    val calls = ExpressionSet(below.expressions.flatMap(innermost)).toSeq.collect {
      case call: TfPredict => call
    }
    if (calls.isEmpty) below
    else {
      val (children, results) = attachAll(below, calls)
      val rewritten = below.withNewChildren(children).transformExpressions { case call: TfPredict =>
        results.collectFirst { case (one, result) if isSame(one, call) => result }.getOrElse(call)
      }
      val done = extract(rewritten)
      if (done.output == below.output) done else Project(below.output, done)
    }
  }

  /** Whether two expressions have the same value; a nondeterministic expression equals only itself.
    */
  private def isSame(one: Expression, other: Expression): Boolean =
    (one eq other) || one.semanticEquals(other)

  private def innermost(expression: Expression): Seq[TfPredict] = expression match {
    case call: TfPredict if !call.children.exists(TfPredict.isIn) => Seq(call)
    case other => other.children.flatMap(innermost)
  }

  private def attachAll(
      plan: LogicalPlan,
      calls: Seq[TfPredict]
  ): (Seq[LogicalPlan], Seq[(TfPredict, Attribute)]) = {
    val bySide = calls.groupBy(call =>
      plan.children.indexWhere(side => call.references.subsetOf(side.outputSet))
    )
    bySide.get(-1).foreach(homeless => throw acrossJoin(homeless.head))
    val attached = plan.children.zipWithIndex.map { case (side, index) =>
      bySide.get(index).fold((side, Seq.empty[(TfPredict, Attribute)]))(attach(side, _))
    }
    (attached.map(_._1), attached.flatMap(_._2))
  }

  /** Evaluate calls on top of a plan, or reuse results that the plan already has. */
  private def attach(
      plan: LogicalPlan,
      calls: Seq[TfPredict]
  ): (LogicalPlan, Seq[(TfPredict, Attribute)]) = {
    val (exposed, found) = calls.foldLeft((plan, Seq.empty[(TfPredict, Attribute)])) {
      case ((below, done), call) =>
        expose(below, call).fold((below, done)) { case (with_, result) =>
          (with_, done :+ (call -> result))
        }
    }
    val rest = calls.filterNot(call => found.exists(_._1 == call))
    if (rest.isEmpty) (exposed, found)
    else {
      val computed =
        ExpressionSet(rest.flatMap(_.children)).toSeq.filterNot(_.isInstanceOf[Attribute])
      val aliases = computed.map(expression => Alias(expression, "tf_input")())
      val below = if (aliases.isEmpty) exposed else Project(exposed.output ++ aliases, exposed)
      val plainCalls = rest.map(call =>
        call.copy(children = call.children.map {
          case attribute: Attribute => attribute
          case other =>
            aliases.find(alias => isSame(alias.child, other)).fold[Expression](other)(_.toAttribute)
        })
      )
      val results =
        rest.map(call => AttributeReference("tf_predict", call.dataType, nullable = true)())
      (TfBatchEval(plainCalls, results, exposed.output, below), found ++ rest.zip(results))
    }
  }

  /** Bring up the result of an equal call from below, if the operators between keep every row
    * unchanged.
    *
    * The optimizer copies a call of a subquery into the filter on the subquery; this merges the two
    * calls.
    */
  private def expose(plan: LogicalPlan, call: TfPredict): Option[(LogicalPlan, Attribute)] =
    plan match {
      case eval: TfBatchEval =>
        eval.resultOf(call).map(eval -> _).orElse {
          expose(eval.child, call).map { case (below, result) =>
            (eval.copy(keep = (eval.keep :+ result).distinct, child = below), result)
          }
        }
      case Filter(condition, child) => expose(child, call).map { case (below, result) =>
          (Filter(condition, below), result)
        }
      case Project(list, child) if call.references.subsetOf(child.outputSet) =>
        expose(child, call).map { case (below, result) =>
          (
            Project(if (list.exists(_.exprId == result.exprId)) list else list :+ result, below),
            result
          )
        }
      case _ => None
    }

  private def acrossJoin(condition: Expression): Exception =
    TfPredictFunction.refusal(
      Explain(
        s"A call of a model needs columns of both sides of a join that is not an inner one: ${condition.sql}.",
        hint = "compute it in a subquery of one side, or in a condition above the join."
      )
    )
}
