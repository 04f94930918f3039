package io.tfspark.jobs

import scala.collection.immutable.ListMap
import scala.util.control.NonFatal

import io.tfspark.TfSparkExtensions
import io.tfspark.error._
import io.tfspark.sql._
import org.apache.spark.SparkConf
import org.apache.spark.sql.SparkSession

/** Score a dataset with a SavedModel in the JVM:
  * `./spark-submit.sh [spark options] tfspark-bridge….jar --model DIR …`.
  *
  * The flags, the exit codes and the report are those of `jobs/batch_score.py`; the last line on
  * stdout is the path of the report. Rows are counted on their way in and out, and a job whose
  * counts differ publishes nothing.
  */
object BatchScore {

  /** Run and end the process with the exit code. */
  def main(words: Array[String]): Unit = sys.exit(run(words.toSeq))

  /** Parse, open the session, run; returns the exit code. */
  def run(words: Seq[String]): Int =
    if (words.contains("--help") || words.contains("-h")) {
      println(BatchScoreFlags.help)
      0
    } else
      try {
        val job = BatchScoreFlags.parse(words)
        val spark = session(job)
        try println(score(spark, job))
        finally spark.stop()
        0
      } catch {
        case NonFatal(error) =>
          val (message, code) = Failure.of(error)
          System.err.println(s"error: $message")
          code
      }

  /** Run a job in a session; returns the path of its report, or the plan in words for a dry run. */
  def score(spark: SparkSession, job: BatchJob): String = {
    val begun = Report.begin()
    val (plan, planned) = begun.timed("plan")(Plan.of(spark, job, begun.run))
    if (job.isDryRun) plan.describe(job)
    else {
      val done = undoing(plan.output)(published(spark, job, plan, planned))
      val seconds = done.seconds("score")
      println(f"scored ${done.rowsOut} rows in $seconds%.1f s (${done.nullRows} null)")
      ReportFile.write(spark, done, job)
    }
  }

  private def session(job: BatchJob): SparkSession = {
    // Those of the user stay: the tables may be another's, such as Delta's.
    val own = new SparkConf().getOption("spark.sql.extensions").toSeq.flatMap(_.split(','))
    val extensions = (own :+ classOf[TfSparkExtensions].getName).distinct
    val builder = SparkSession
      .builder()
      .appName("tfspark batch_score")
      .config("spark.sql.extensions", extensions.mkString(","))
    job.distribute.foreach(builder.config(BridgeConf.Distribute, _))
    val isHive = job.source.table.isDefined || job.target.table.isDefined
    (if (isHive) builder.enableHiveSupport() else builder).getOrCreate()
  }

  private def published(spark: SparkSession, job: BatchJob, plan: Plan, report: Report): Report = {
    val (_, done) = report.timed("score")(plan.output.stage(plan.rows))
    val counted = done.copy(
      model = facts(plan.model, job),
      input = job.source.toString,
      output = job.target.toString,
      rowsIn = Some(plan.counts.in),
      rowsOut = plan.counts.out,
      nullRows = plan.counts.nulls,
      rounded = plan.binding.rounded,
      versions = versions(spark)
    )
    checkCounts(counted)
    counted.timed("publish")(plan.output.publish())._2
  }

  /** Discard what was staged when a block fails. */
  private def undoing[A](output: Output)(body: => A): A =
    try body
    catch {
      case error: Throwable =>
        try output.discard()
        catch {
          case NonFatal(other) => error.addSuppressed(other)
        } // the failure of the job is the one to tell
        throw error
    }

  private def checkCounts(report: Report): Unit =
    if (!report.rowsIn.contains(report.rowsOut))
      throw new EngineException(
        Explain(
          "Rows were lost or doubled on the way; nothing is published.",
          expected = s"${report.rowsIn.mkString} rows",
          found = s"${report.rowsOut} rows",
          hint = "run again; before Spark 4.3 a retried task was counted twice."
        )
      )

  private def facts(located: LocatedModel, job: BatchJob): ListMap[String, Any] = {
    val model = located.model
    ListMap(
      "path" -> located.remote.getOrElse(model.path),
      "name" -> model.name,
      "version" -> model.version.map(Long.box).orNull,
      "digest" -> model.digest,
      "signature" -> job.options.signature,
      "tensorflow" -> model.tensorflowVersion
    )
  }

  private def versions(spark: SparkSession): ListMap[String, String] =
    ListMap(
      "spark" -> spark.version,
      "java" -> sys.props("java.version"),
      "scala" -> util.Properties.versionNumberString
    )
}
