package io.tfspark.sql

import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.plans.logical._
import org.apache.spark.sql.catalyst.rules.Rule

/** Evaluates `input_file_name()`, `input_file_block_start()` and `input_file_block_length()` below
  * the calls of models. Driver.
  *
  * Spark computes them from the file that the thread reads at the moment. A `TfBatchEval` reads
  * many rows before it returns the first one. Above it, these rows would get the file of the last
  * one.
  */
private[sql] object FileOfRow extends Rule[LogicalPlan] {

  override def apply(plan: LogicalPlan): LogicalPlan = plan.transformUp {
    case one: UnaryNode if one.expressions.exists(_.exists(isFile)) => lowered(one)
  }

  /** Whether a condition depends only on the row and its file. */
  def isFixed(condition: Expression): Boolean =
    condition.transform { case one if isFile(one) => Literal.default(one.dataType) }.deterministic

  private def isFile(expression: Expression): Boolean = expression match {
    case _: InputFileName | _: InputFileBlockStart | _: InputFileBlockLength => true
    case _ => false
  }

  private def lowered(plan: UnaryNode): LogicalPlan = {
    val files = plan.expressions.flatMap(_.collect { case one if isFile(one) => one }).distinct
    val (child, columns) = files.foldLeft((plan.child, Map.empty[Expression, Attribute])) {
      case ((below, found), file) =>
        column(below, file).fold((below, found)) { case (lower, one) =>
          (lower, found + (file -> one))
        }
    }
    if (columns.isEmpty) plan
    else {
      val made = plan.withNewChildren(Seq(child)).transformExpressions {
        case one if columns.contains(one) => columns(one)
      }
      if (made.output == plan.output) made else Project(plan.output, made)
    }
  }

  /** A plan with one more column, which is evaluated below its lowest `TfBatchEval`; nothing if it
    * has none that passes rows on in their order.
    */
  private def column(plan: LogicalPlan, file: Expression): Option[(LogicalPlan, Attribute)] =
    plan match {
      case eval: TfBatchEval =>
        val (child, found) = column(eval.child, file).getOrElse(beside(eval.child, file))
        Some((eval.copy(keep = eval.keep :+ found, child = child), found))
      case Project(list, child) =>
        column(child, file).map { case (lower, found) => (Project(list :+ found, lower), found) }
      case Filter(condition, child) =>
        column(child, file).map { case (lower, found) => (Filter(condition, lower), found) }
      case union: Union => columnOfAll(union, file)
      case one: UnaryNode =>
        column(one.child, file)
          .map { case (lower, found) =>
            (one.withNewChildren(Seq(last(one.child, found, lower))), found)
          }
          .filter { case (made, found) => made.outputSet.contains(found) }
      case _ => None
    }

  private def columnOfAll(union: Union, file: Expression): Option[(LogicalPlan, Attribute)] = {
    val sides = union.children.map(column(_, file))
    Option.when(sides.exists(_.isDefined)) {
      val made = union.withNewChildren(union.children.zip(sides).map { case (side, lowered) =>
        val (lower, found) = lowered.getOrElse(beside(side, file))
        last(side, found, lower)
      })
      (made, made.output.last)
    }
  }

  private def beside(plan: LogicalPlan, file: Expression): (LogicalPlan, Attribute) = {
    val named = Alias(file, "tf_file")()
    val made = plan match {
      case Project(list, child) => Project(list :+ named, child)
      case other => Project(other.output :+ named, other)
    }
    (made, named.toAttribute)
  }

  /** The columns of a plan in their order, and the new one after them: operators may refer to
    * columns by position.
    */
  private def last(plan: LogicalPlan, found: Attribute, lower: LogicalPlan): LogicalPlan =
    Project(plan.output :+ found, lower)
}
