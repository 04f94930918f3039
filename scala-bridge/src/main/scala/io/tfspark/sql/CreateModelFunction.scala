package io.tfspark.sql

import io.tfspark.error._
import org.apache.spark.sql.{Row, SparkSession}
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan
import org.apache.spark.sql.catalyst.rules.Rule
import org.apache.spark.sql.execution.command.{CreateFunctionCommand, LeafRunnableCommand}

/** Turns the statement
  * `CREATE [OR REPLACE] TEMPORARY FUNCTION name AS 'tf_predict[:signature]' USING FILE 'model'`
  * into a command that registers a model in the session. Driver. A JSON object with all options may
  * replace the signature; Python sends that form.
  *
  * It is Spark's own statement, so every SQL client can register a model, also through Spark
  * Connect and the Thrift server. A SQL function with `RETURN tf_predict(…)` would cast its
  * arguments silently, for example from double to float.
  */
object CreateModelFunction extends Rule[LogicalPlan] {
  private val function = "tf_predict"

  override def apply(plan: LogicalPlan): LogicalPlan = plan match {
    case create: CreateFunctionCommand if isOurs(create.className) =>
      if (!create.isTemp) throw permanent
      RegisterModel(
        create.identifier.funcName,
        create.resources.map(one => (one.resourceType.resourceType, one.uri)),
        create.className.drop(function.length + 1),
        create.replace
      )
    case other => other
  }

  private def permanent: Exception = TfPredictFunction.refusal(
    Explain(
      "This statement registers a model only as a temporary function.",
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
  * @param resources types and paths in the statement: one file, the model
  * @param chosen a signature, or a JSON object of options; empty for neither
  */
final case class RegisterModel(
    name: String,
    resources: Seq[(String, String)],
    chosen: String,
    replace: Boolean
) extends LeafRunnableCommand {

  override def run(spark: SparkSession): Seq[Row] = TfPredictFunction.refusing {
    val nameOrPath = resources match {
      case Seq(("file", one)) => one
      case _ => throw otherResources
    }
    SessionFunctions.checkFree(spark, name, replace)
    val located =
      ModelCatalog.ofUser(nameOrPath, options.score, HadoopConf.ofApplication(spark))
    SessionFunctions.register(spark, name, located, options)
    Nil
  }

  /** The options of a call: those of the statement override those of the calling session. */
  private def options: CallOptions = {
    val ofSession = BridgeConf.callOptions
    if (chosen.isEmpty) ofSession
    else if (chosen.startsWith("{")) OptionTexts.parse(chosen, ofSession)
    else ofSession.copy(score = ofSession.score.copy(signature = chosen))
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
