package io.tfspark.hive

import io.tfspark.ScoreOptions
import io.tfspark.error._
import io.tfspark.sql._
import org.apache.hadoop.conf.Configuration
import org.apache.spark.sql.catalyst.expressions.Expression
import org.apache.spark.sql.types.StringType

/** Finds the model that a permanent function calls. Driver and executor.
  *
  * The model is the first argument if that is a constant string with a registered name or a path;
  * otherwise the model of the table property; otherwise the operator's default. Paths given by
  * users must be below the roots, as in `tf_predict`.
  */
private[hive] object FunctionModel {

  /** The call that the arguments describe. */
  def call(arguments: Seq[Expression], ofTable: Option[String], conf: Configuration): TfPredict =
    arguments.headOption.flatMap(named) match {
      case Some(model) =>
        TfPredictFunction.call(ModelCatalog.ofUser(model, _, conf), arguments.drop(1))
      case None => TfPredictFunction.call(default(_, ofTable, conf), arguments)
    }

  /** Whether an argument names a model, and is not an input. */
  def isModel(argument: Expression): Boolean = named(argument).isDefined

  private def named(argument: Expression): Option[String] = argument.dataType match {
    case _: StringType if argument.foldable =>
      Option(argument.eval())
        .map(_.toString)
        .filter(text => text.contains("/") || BridgeConf.registered.contains(text))
    case _ => None
  }

  private def default(
      options: ScoreOptions,
      ofTable: Option[String],
      conf: Configuration
  ): LocatedModel =
    ofTable.map(ModelCatalog.ofUser(_, options, conf)).orElse(
      BridgeConf.functionModel.map(ModelCatalog.ofOperator(_, options, conf))
    ).getOrElse {
      throw new UsageException(
        Explain(
          "The function has no model.",
          expected = "a registered name or path as first argument, a table property " +
            s"'${BatchPermanentFunctions.TableProperty}', or the setting ${BridgeConf.FunctionModel}",
          found = "none of them",
          hint =
            s"ALTER TABLE t SET TBLPROPERTIES ('${BatchPermanentFunctions.TableProperty}' = 'name or path')."
        )
      )
    }
}
