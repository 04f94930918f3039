package io.tfspark.jobs

import java.io.File
import java.nio.charset.StandardCharsets.UTF_8

import scala.collection.immutable.ListMap
import scala.util.Using
import scala.util.control.NonFatal

import io.tfspark.{FrameScorer, ScoredFrame, TfSparkExtensions}
import io.tfspark.error._
import io.tfspark.model.Binding
import io.tfspark.sql._
import org.apache.hadoop.fs.Path
import org.apache.spark.SparkConf
import org.apache.spark.sql.{AnalysisException, DataFrame, Observation, SparkSession}
import org.apache.spark.sql.functions.{col, count, count_if, lit}

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
    val ((output, ScoredFrame(scored, binding), model, counts), planned) =
      begun.timed("plan")(plan(spark, job, begun))
    if (job.isDryRun) describe(job, model, scored, binding)
    else {
      val (_, done) = planned.timed("score")(staged(output)(output.stage(scored)))
      val counted = done.copy(
        model = facts(model, job),
        input = job.source.toString,
        output = job.target.toString,
        rowsIn = Some(counts.in),
        rowsOut = counts.out,
        nullRows = counts.nulls,
        rounded = binding.rounded,
        versions = versions(spark)
      )
      staged(output)(checkCounts(counted))
      val (_, published) = counted.timed("publish")(staged(output)(output.publish()))
      val seconds = published.seconds("score")
      println(f"scored ${counts.out} rows in $seconds%.1f s (${counts.nulls} null)")
      write(spark, published, job)
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

  private def plan(
      spark: SparkSession,
      job: BatchJob,
      report: Report
  ): (Output, ScoredFrame, LocatedModel, Counts) = {
    val located = ModelCatalog.at(job.model, job.options, HadoopConf.of(spark))
    val output = Output.of(spark, job.target, job.mode, report.run)
    UnusedOptions.refuseOfReader(job.source.options)
    UnusedOptions.refuseOfWriter(job.target.options)
    Lakes.refuse(spark, job.source, "input")
    Lakes.refuse(spark, job.target, "output")
    output.check(job.source.path.toSeq :+ job.model)
    job.report.foreach(checkReport(spark, _))
    val (before, after) = (Observation(), Observation())
    val rows = job.source.read(spark)
    val watched = rows.observe(before, count(lit(1)).as("rows"))
    val constants = Constants.columns(job.options.signatureOf(located.model), job.constants)
    val ScoredFrame(scored, binding) =
      FrameScorer(watched, located, job.call(constants), job.options)
    // A model never returns null, so a null prediction is a row with a null input.
    val isNull = col(s"`${scored.columns.last.replace("`", "``")}`").isNull
    val counted = scored.observe(after, count(lit(1)).as("rows"), count_if(isNull).as("nulls"))
    output.checkColumns(counted.schema)
    (output, ScoredFrame(counted, binding), located, new Counts(before, after))
  }

  /** Refuse a place that a report cannot be written to, before the job. */
  private def checkReport(spark: SparkSession, place: String): Unit = {
    val path = new Path(place)
    val files = path.getFileSystem(HadoopConf.of(spark))
    if (files.exists(path) && files.getFileStatus(path).isDirectory)
      throw new UsageException(
        Explain(s"The report cannot be written to $place.", expected = "a file", found = "a folder")
      )
  }

  /** Discard what was staged when a block fails. */
  private def staged[A](output: Output)(body: => A): A =
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

  private def describe(
      job: BatchJob,
      located: LocatedModel,
      scored: DataFrame,
      binding: Binding
  ): String =
    (located.model.describe +: (Seq(
      s"input  ${job.source}",
      s"output ${job.target}",
      s"columns ${Output.describe(scored.schema)}",
      "path   spark"
    ) ++ binding.rounded.map(one => s"rounded $one") ++ binding.warnings.map(one =>
      s"warning $one"
    ) :+ "nothing was run, nothing was written").map(ForeignText.oneLine)).mkString("\n")

  private def write(spark: SparkSession, report: Report, job: BatchJob): String = {
    val name = s"_tfspark_report_${report.run}.json"
    val place = job.report.getOrElse(
      job.target.path.fold(new File(name).getAbsolutePath)(folder =>
        s"${folder.stripSuffix("/")}/$name"
      )
    )
    try {
      val named = new Path(place)
      val files = named.getFileSystem(HadoopConf.of(spark))
      val path = files.makeQualified(named)
      Using.resource(files.create(path, true))(_.write(report.toJson.getBytes(UTF_8)))
      if (path.toUri.getScheme == "file") path.toUri.getPath else path.toString
    } catch {
      case NonFatal(error) =>
        throw new JobFailedException(
          Explain(
            s"The rows are written, but the report is not: $place.",
            found = error.toString,
            hint = "do not run the job again for it."
          ),
          Some(error)
        )
    }
  }

  /** Rows on their way in and out, known once the job has run. */
  final private class Counts(before: Observation, after: Observation) {
    def in: Long = before.get("rows").asInstanceOf[Long]
    def out: Long = after.get("rows").asInstanceOf[Long]
    def nulls: Long = after.get("nulls").asInstanceOf[Long]
  }
}

/** What went wrong, in words, and the exit code that says so. */
private[jobs] object Failure {

  def of(error: Throwable): (String, Int) = {
    val chain = Iterator.iterate(error)(_.getCause).takeWhile(Option(_).isDefined).take(20).toSeq
    chain.collectFirst { case own: TfsparkException => (own.getMessage, own.exitCode) }.getOrElse(
      error match {
        case refusal: AnalysisException =>
          (
            foreign(refusal.getMessage.split(";\n").head),
            if (Dataset.isMissing(refusal)) 66 else 65
          )
        case refusal: IllegalArgumentException => (foreign(String.valueOf(refusal.getMessage)), 65)
        case other =>
          val cause = chain.lastOption.getOrElse(other)
          (
            Explain(
              "The job failed.",
              found = cause.toString,
              hint = "the log above may say more."
            ),
            70
          )
      }
    )
  }

  /** A message of Spark, indented so that no line looks like one of ours. */
  private def foreign(message: String): String = ForeignText.quotedLines(message)
}
