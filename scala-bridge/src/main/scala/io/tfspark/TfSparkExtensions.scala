package io.tfspark

import io.tfspark.error.ForeignText
import io.tfspark.hive.BatchPermanentFunctions
import io.tfspark.sql._
import org.apache.hadoop.conf.Configuration
import org.apache.spark.sql.{SparkSession, SparkSessionExtensions, SparkSessionExtensionsProvider}
import org.apache.spark.sql.catalyst.FunctionIdentifier
import org.apache.spark.sql.catalyst.analysis.FunctionRegistry
import org.apache.spark.sql.catalyst.expressions.{Expression, ExpressionInfo}

/** Adds the function `tf_predict` to a Spark session, and a function for each model that the
  * operator registered by `spark.tfspark.model.NAME=path`. Driver.
  *
  * Spark finds it through `SparkSessionExtensionsProvider` when the jar is on the driver. It can
  * also be named in `spark.sql.extensions`; both at once do no harm.
  */
final class TfSparkExtensions extends SparkSessionExtensionsProvider {

  override def apply(extensions: SparkSessionExtensions): Unit = {
    inject(
      extensions,
      "tf_predict",
      TfSparkExtensions.usage,
      TfPredictFunction.build(_, hadoopConf)
    )
    BridgeConf.registered.foreach { case (name, path) =>
      inject(
        extensions,
        name,
        ForeignText.oneLine(s"$name([signature,] inputs…) - the model at $path."),
        TfPredictFunction.named(name, path, hadoopConf)(_)
      )
    }
    extensions.injectPostHocResolutionRule(_ => CreateModelFunction)
    extensions.injectPostHocResolutionRule(_ => new BatchPermanentFunctions(hadoopConf))
    extensions.injectCheckRule(_ => CheckCalls)
    extensions.injectPreCBORule(_ => ExtractCalls)
    extensions.injectPlannerStrategy(_ => TfStrategy)
  }

  private def inject(
      extensions: SparkSessionExtensions,
      name: String,
      usage: String,
      build: Seq[Expression] => Expression
  ): Unit = {
    val info = new ExpressionInfo(TfSparkExtensions.className, "", name, usage, "")
    // Spark only logs the exceptions of an extension provider, so the check runs in each call.
    val checked = (arguments: Seq[Expression]) => {
      TfPredictFunction.refusing(OneVersion.check())
      build(arguments)
    }
    val identifier = FunctionIdentifier(name)
    val isSparks =
      FunctionRegistry.builtin.lookupFunction(
        identifier
      ).exists(_.getClassName != info.getClassName)
    // A model may have the name of one of Spark's functions; then it gets no function of its own.
    if (!isSparks) {
      extensions.injectFunction((identifier, info, checked))
      // Spark treats a function outside this registry as temporary, and a permanent view must not
      // use a temporary function.
      FunctionRegistry.builtin.registerFunction(identifier, info, checked)
    }
  }

  private def hadoopConf: Configuration = HadoopConf.ofApplication(SparkSession.active)
}

private object TfSparkExtensions {
  private val className = classOf[TfPredict].getName

  private val usage =
    """
    tf_predict(model, [signature,] inputs…) - Scores each row with a TensorFlow SavedModel: a registered name, or a path
      below the roots. Arguments are the inputs sorted by name, or the elements of a single vector input. Several outputs
      come as a struct; a null input gives null.
    """.stripIndent.strip
}
