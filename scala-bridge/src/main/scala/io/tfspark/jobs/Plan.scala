package io.tfspark.jobs

import io.tfspark.{FrameScorer, ScoredFrame}
import io.tfspark.error._
import io.tfspark.jobs.commit.JobKey
import io.tfspark.model.Binding
import io.tfspark.sql._
import org.apache.spark.sql.{DataFrame, Observation, SparkSession}
import org.apache.spark.sql.functions.{col, count, count_if, lit}

/** A job that was checked and has not run yet. Driver.
  *
  * @param rows the scored rows, which are counted as they pass
  * @param job identifies the job, so that a later run recognises it
  */
final private[jobs] case class Plan(
    output: Output,
    rows: DataFrame,
    binding: Binding,
    model: LocatedModel,
    counts: Counts,
    job: JobKey
) {

  /** The plan as text: the model, the input, the output and the columns. */
  def describe(job: BatchJob): String = {
    val facts = Seq(
      s"input  ${job.source}",
      s"output ${job.target}",
      s"columns ${Output.describe(rows.schema)}",
      "path   spark"
    ) ++ binding.rounded.map(sentence => s"rounded $sentence") ++
      binding.warnings.map(sentence => s"warning $sentence") :+
      "nothing was run, nothing was written"
    (model.model.describe +: facts.map(ForeignText.oneLine)).mkString("\n")
  }
}

/** Rows on their way in and out, known once the job has run. */
final private[jobs] class Counts(before: Observation, after: Observation) {
  def in: Long = before.get("rows").asInstanceOf[Long]
  def out: Long = after.get("rows").asInstanceOf[Long]
  def nulls: Long = after.get("nulls").asInstanceOf[Long]
}

private[jobs] object Plan {

  /** Check everything that can be checked without running the job.
    *
    * The output is checked before the input, because Spark may have to read values to infer types.
    *
    * @param run the run; names of staged files contain it
    */
  def of(spark: SparkSession, job: BatchJob, run: String): Plan = {
    val located = ModelCatalog.at(job.model, job.options, HadoopConf.of(spark))
    val output = checkedOutput(spark, job, run)
    val source = if (job.allowMissing) job.source.merging else job.source
    val (before, after) = (Observation(), Observation())
    val read = source.read(spark)
    val ScoredFrame(scored, binding) = checkingFiles(read, source, job) {
      bound(read.observe(before, count(lit(1)).as("rows")), located, job)
    }
    // A model never returns null, so a null prediction is a row with a null input.
    val isNull = col(s"`${scored.columns.last.replace("`", "``")}`").isNull
    val counted = scored.observe(after, count(lit(1)).as("rows"), count_if(isNull).as("nulls"))
    output.checkColumns(counted.schema)
    val snapshot = InputSnapshot.of(read, HadoopConf.of(spark))
    val key = JobIdentity.keyOf(job, located.model.digest, snapshot)
    Plan(output, counted, binding, located, new Counts(before, after), key)
  }

  private def checkedOutput(spark: SparkSession, job: BatchJob, run: String): Output = {
    if (job.runId.nonEmpty && job.target.table.isDefined)
      throw new UsageException(Explain(
        s"The ${job.target} cannot mark a run as done.",
        expected = "a folder as the output of a run with an id",
        hint = "leave out --run-id, or write to --output."
      ))
    val output = Output.of(spark, job.target, job.mode, run)
    UnusedOptions.refuseOfReader(job.source.options)
    UnusedOptions.refuseOfWriter(job.target.options)
    Lakes.refuse(spark, job.source, "input")
    Lakes.refuse(spark, job.target, "output")
    output.check(job.source.path.toSeq :+ job.model)
    job.report.foreach(ReportFile.check(spark, _))
    output
  }

  private def bound(rows: DataFrame, located: LocatedModel, job: BatchJob): ScoredFrame = {
    val constants = Constants.columns(job.options.signatureOf(located.model), job.constants)
    FrameScorer(rows, located, job.call(constants), job.options)
  }

  /** Bind, and refuse files that lack a column, which can also be why the binding fails. */
  private def checkingFiles(rows: DataFrame, source: Dataset, job: BatchJob)(
      bind: => ScoredFrame
  ): ScoredFrame =
    if (source.isMerging) bind
    else {
      val files = InputFiles.of(rows, source, HadoopConf.of(rows.sparkSession))
      val scored =
        try bind
        catch {
          case error: BindingException =>
            files.explainUnbound()
            throw error
        }
      val fed = scored.binding.inputs.flatMap(_.columns)
      files.check(job.keep.map(kept => (kept ++ fed).map(_.takeWhile(_ != '.')).toSet))
      scored
    }
}
