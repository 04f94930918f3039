package io.tfspark.sql

import io.tfspark.error._
import io.tfspark.model.OnNull
import org.apache.hadoop.conf.Configuration
import org.apache.spark.SparkEnv
import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.catalyst.FunctionIdentifier
import org.apache.spark.sql.catalyst.analysis.FunctionRegistry
import org.apache.spark.sql.catalyst.expressions.Expression
import org.apache.spark.sql.classic

/** Functions that a program adds to its own session. Driver; a classic session. */
private[tfspark] object SessionFunctions {

  /** Add or replace a function. */
  def register(spark: SparkSession, name: String)(build: Seq[Expression] => Expression): Unit = {
    val functions = classicOf(spark).sessionState.functionRegistry
    // The methods of the registry differ between versions of Spark.
    if (!spark.catalog.functionExists("tf_predict"))
      throw new UsageException(
        Explain(
          "The tfspark bridge is not loaded in this Spark session.",
          hint = "start Spark with the bridge's jar in --jars, or with " +
            "spark.sql.extensions=io.tfspark.TfSparkExtensions."
        )
      )
    functions.createOrReplaceTempFunction(name, build, "scala_udf")
  }

  /** Add or replace a function that calls a model.
    *
    * @param options returns the options; called for each call of the function
    */
  def register(
      spark: SparkSession,
      name: String,
      located: LocatedModel,
      options: => CallOptions
  ): Unit = {
    val first = options
    val signature = located.model.signature(first.score.signature)
    OnNull.check(first.score.onNull, first.shaped(signature))
    register(spark, name) { arguments =>
      val now = options
      TfPredictFunction.refusing(
        TfPredictFunction.callOf(located, now.shaped(signature), arguments, now)
      )
    }
  }

  /** Refuse the name of an existing function: one of Spark's own, which would be called instead, or
    * a temporary one that must not be replaced.
    */
  def checkFree(spark: SparkSession, name: String, replace: Boolean): Unit = {
    val identifier = FunctionIdentifier(name)
    if (FunctionRegistry.builtin.functionExists(identifier))
      throw new UsageException(
        Explain(s"SQL has a built-in function '$name'.", hint = "choose another name.")
      )
    if (!replace && classicOf(spark).sessionState.catalog.isTemporaryFunction(identifier))
      throw new UsageException(
        Explain(s"The session has a function '$name'.", hint = "CREATE OR REPLACE replaces it.")
      )
  }

  private def classicOf(spark: SparkSession): classic.SparkSession = spark match {
    case session: classic.SparkSession => session
    case other =>
      throw new UsageException(
        Explain(
          "A model can be registered only in a session of this JVM.",
          expected = "a classic Spark session",
          found = other.getClass.getName,
          hint =
            "on Spark Connect send CREATE TEMPORARY FUNCTION name AS 'tf_predict' USING FILE " +
              "'model'; the server needs the jar."
        )
      )
  }
}

/** Settings of Hadoop's file systems. */
private[tfspark] object HadoopConf {

  /** The settings that the operator gave Spark at its start. Models that SQL users call are found
    * with these settings, because `SET` in a session could replace a file system.
    */
  def ofApplication(spark: SparkSession): Configuration = spark match {
    case session: classic.SparkSession =>
      new Configuration(session.sparkContext.hadoopConfiguration)
    case _ => new Configuration()
  }

  /** The settings of the application if there is no session, as in an executor. */
  def ofProcess: Configuration = {
    val conf = new Configuration()
    Option(SparkEnv.get).foreach(_.conf.getAllWithPrefix("spark.hadoop.").foreach {
      case (name, value) => conf.set(name, value)
    })
    conf
  }

  /** The settings of a session, for programs that may read any path. */
  def of(spark: SparkSession): Configuration = spark match {
    case session: classic.SparkSession => session.sessionState.newHadoopConf()
    case _ => new Configuration()
  }
}
