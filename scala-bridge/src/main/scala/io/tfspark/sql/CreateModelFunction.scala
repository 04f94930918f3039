package io.tfspark.sql

import io.tfspark.error._
import io.tfspark.model.Signature
import org.apache.spark.sql.{Row, SparkSession}
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan
import org.apache.spark.sql.catalyst.rules.Rule
import org.apache.spark.sql.execution.command.{CreateFunctionCommand, LeafRunnableCommand}

/** Reads
  * `CREATE [OR REPLACE] TEMPORARY FUNCTION name AS 'tf_predict[:signature]' USING FILE 'model'` as
  * what registers a model in the session. Driver.
  *
  * It is Spark's own statement, so that all who send SQL can register: Spark Connect, the Thrift
  * server. A SQL function, `RETURN tf_predict(…)`, would cast its arguments, double to float
  * included, without a word.
  */
object CreateModelFunction extends Rule[LogicalPlan] {
  private val function = "tf_predict"

  override def apply(plan: LogicalPlan): LogicalPlan = plan match {
    case create: CreateFunctionCommand if isOurs(create.className) =>
      if (!create.isTemp) throw permanent
      val signature = Option(create.className.drop(function.length + 1)).filter(_.nonEmpty)
      RegisterModel(
        create.identifier.funcName,
        create.resources.map(one => (one.resourceType.resourceType, one.uri)),
        signature.getOrElse(Signature.Default),
        create.replace
      )
    case other => other
  }

  private def permanent: Exception = TfPredictFunction.refusal(
    Explain(
      "A model becomes a temporary function only.",
      expected = s"CREATE TEMPORARY FUNCTION … AS '$function' USING FILE 'model'",
      hint =
        "for one that outlives the session, CREATE FUNCTION … AS 'io.tfspark.hive.TfPredictUdf'."
    )
  )

  private def isOurs(className: String): Boolean =
    className == function || className.startsWith(s"$function:")
}

/** Registers a model, by its registered name or a path below the roots, as a function of the
  * session. Driver.
  *
  * @param resources types and paths, as the statement has them: one file, which is the model
  */
final case class RegisterModel(
    name: String,
    resources: Seq[(String, String)],
    signature: String,
    replace: Boolean
) extends LeafRunnableCommand {

  override def run(spark: SparkSession): Seq[Row] = TfPredictFunction.refusing {
    val nameOrPath = resources match {
      case Seq(("file", one)) => one
      case _ => throw otherResources
    }
    SessionFunctions.checkFree(spark, name, replace)
    val located = ModelCatalog.ofUser(nameOrPath, HadoopConf.ofApplication(spark))
    val chosen = located.model.signature(signature)
    SessionFunctions.register(spark, name) { arguments =>
      TfPredictFunction.refusing(
        TfPredictFunction.callOf(located, chosen, arguments, None, BridgeConf.bindingOptions)
      )
    }
    Nil
  }

  private def otherResources: UsageException = new UsageException(
    Explain(
      s"The function '$name' needs one model.",
      expected = "USING FILE 'registered name or path'",
      found = if (resources.isEmpty) "none"
      else resources.map { case (kind, uri) => s"$kind '$uri'" }.mkString(", ")
    )
  )
}
