package io.tfspark.hive

import io.tfspark.sql.TfPredictFunction
import org.apache.hadoop.conf.Configuration
import org.apache.spark.sql.catalyst.catalog.HiveTableRelation
import org.apache.spark.sql.catalyst.expressions.Expression
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan
import org.apache.spark.sql.catalyst.rules.Rule
import org.apache.spark.sql.execution.datasources.LogicalRelation

/** Turns calls of the permanent function, which Hive's interface feeds row by row, into calls in
  * batches. Driver.
  */
final class BatchPermanentFunctions(conf: => Configuration) extends Rule[LogicalPlan] {

  override def apply(plan: LogicalPlan): LogicalPlan = plan.resolveOperatorsUp {
    case node if node.expressions.exists(_.exists(BatchPermanentFunctions.isOurs)) =>
      node.transformExpressionsUp {
        case call if BatchPermanentFunctions.isOurs(call) =>
          TfPredictFunction.refusing(FunctionModel.call(call.children, modelOfTable(node), conf))
      }
  }

  /** What the tables below an operator say, when they say one thing. */
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

  /** Spark's wrapper of a Hive function is not for others to name, and Hive may be absent: it is
    * known by its words.
    */
  private def isOurs(expression: Expression): Boolean =
    expression.getClass.getName == "org.apache.spark.sql.hive.HiveGenericUDF" &&
      expression.productIterator.exists {
        case wrapper: Product =>
          wrapper.productArity > 0 && wrapper.productElement(0) == "io.tfspark.hive.TfPredictUdf"
        case _ => false
      }
}
