package io.tfspark.hive

import io.tfspark.sql.TfPredictFunction
import org.apache.hadoop.conf.Configuration
import org.apache.spark.sql.catalyst.catalog.HiveTableRelation
import org.apache.spark.sql.catalyst.expressions.Expression
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan
import org.apache.spark.sql.catalyst.rules.Rule
import org.apache.spark.sql.execution.datasources.LogicalRelation

/** Replaces calls of the permanent function, which Hive's interface runs row by row, by batched
  * calls. Driver.
  */
final class BatchPermanentFunctions(conf: => Configuration) extends Rule[LogicalPlan] {

  override def apply(plan: LogicalPlan): LogicalPlan = plan.resolveOperatorsUp {
    case node if node.expressions.exists(_.exists(BatchPermanentFunctions.isOurs)) =>
      node.transformExpressionsUp {
        case call if BatchPermanentFunctions.isOurs(call) =>
          TfPredictFunction.refusing(FunctionModel.call(call.children, modelOfTable(node), conf))
      }
  }

  /** The model that the tables below an operator name; none when they name different models. */
  private def modelOfTable(plan: LogicalPlan): Option[String] = {
    val tables = plan.collect {
      case relation: LogicalRelation => relation.catalogTable.toSeq
      case relation: HiveTableRelation => Seq(relation.tableMeta)
    }
    tables.flatten.flatMap(_.properties.get(BatchPermanentFunctions.TableProperty)).distinct match {
      case Seq(one) => Some(one)
      case _ => None
    }
  }
}

object BatchPermanentFunctions {

  /** The table property that names a model. */
  val TableProperty: String = "tfspark.model"

  /** The class of Spark's wrapper of a Hive function is private, and Hive may not be installed, so
    * the wrapper is recognised by its text.
    */
  private def isOurs(expression: Expression): Boolean =
    expression.getClass.getName == "org.apache.spark.sql.hive.HiveGenericUDF" &&
      expression.productIterator.exists {
        case wrapper: Product =>
          wrapper.productArity > 0 && wrapper.productElement(0) == "io.tfspark.hive.TfPredictUdf"
        case _ => false
      }
}
