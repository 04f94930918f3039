package io.tfspark.jobs

import scala.util.control.NonFatal

import io.tfspark.TfSparkExtensions
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
      StopSignal.during { signals =>
        try {
          val job = BatchScoreFlags.parse(words)
          val spark = session(job)
          try println(score(spark, job))
          finally spark.stop()
          0
        } catch {
          case error: Throwable if NonFatal(error) || signals.received.isDefined =>
            val (message, code) = signals.received.fold(Failure.of(error))(_.ending)
            System.err.println(s"error: $message")
            code
        }
      }

  /** Run a job in a session; returns the path of its report, or the text of the plan for a dry run.
    */
  def score(spark: SparkSession, job: BatchJob): String = {
    val begun = Report.begin()
    val (plan, planned) = begun.timed("plan")(Plan.of(spark, job, begun.run))
    if (job.isDryRun) plan.describe(job) else new Execution(spark, job, plan).run(planned)
  }

  private def session(job: BatchJob): SparkSession = {
    // The user's extensions are kept, because tables may need them (such as Delta).
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
}
