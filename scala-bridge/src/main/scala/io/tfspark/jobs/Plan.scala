package io.tfspark.jobs

import io.tfspark.{FrameScorer, ScoredFrame}
import io.tfspark.error._
import io.tfspark.jobs.commit.JobKey
import io.tfspark.model.{Binding, OnError}
import io.tfspark.sql._
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.{Column, DataFrame, Observation, SparkSession}
import org.apache.spark.sql.functions.{col, count, count_if, lit}

/** A job that was checked and has not run yet. Driver.
  *
  * @param rows the good rows, which are counted as they pass
  * @param bad the bad rows and their folder, if the job sets them aside
  * @param job identifies the job, so that a later run recognises it
  * @param refuseStale refuses a view of the target that was planned before the target was locked
  *   and changed
  */
final private[jobs] case class Plan(
    output: Output,
    rows: DataFrame,
    binding: Binding,
    model: LocatedModel,
    counts: Counts,
    job: JobKey,
    bad: Option[BadRows],
    refuseStale: () => Unit
) {

  /** The output, together with the bad rows if there are any. */
  val transaction: Transaction =
    bad.fold[Transaction](output)(aside => new GoodAndBadRows(output, aside.output))

  /** Score, and stage all rows. */
  def stage(): Unit = {
    refuseStale()
    bad match {
      case None => output.stage(rows)
      case Some(aside) =>
        aside.split.holding {
          aside.output.stage(aside.rows)
          output.stage(rows)
        }
    }
  }

  /** The plan as text: the model, the input, the output and the columns. */
  def describe(job: BatchJob): String = {
    val facts = Seq(
      s"input  ${job.source}",
      s"output ${job.target}",
      s"columns ${Output.describe(rows.schema)}",
      "path   spark"
    ) ++ job.badRows.map(folder => s"bad    $folder") ++ binding.rounded.map(sentence =>
      s"rounded $sentence"
    ) ++
      binding.warnings.map(sentence => s"warning $sentence") :+
      "nothing was run, nothing was written"
    (model.model.describe +: facts.map(ForeignText.oneLine)).mkString("\n")
  }
}

/** Bad rows that are set aside.
  *
  * @param rows counted as they pass
  */
final private[jobs] case class BadRows(output: BadRowsOutput, split: SplitRows, rows: DataFrame)

/** Rows read and written; known when the job has run. */
final private[jobs] class Counts(
    before: Observation,
    after: Observation,
    aside: Option[Observation]
) {
  def in: Long = before.get("rows").asInstanceOf[Long]
  def out: Long = after.get("rows").asInstanceOf[Long]
  def nulls: Long = after.get("nulls").asInstanceOf[Long]
  def bad: Long = aside.fold(0L)(_.get("rows").asInstanceOf[Long])
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
    val folders = OwnInput.folderRead(spark, job.source).toSeq :+
      located.remote.getOrElse(located.model.path)
    val output = checkedOutput(spark, job, run, folders)
    val badOutput = job.badRows.map(checkedBadRows(spark, job, run, output, folders, _))
    val source = if (job.allowMissing) job.source.merging else job.source
    val (before, after, aside) = (Observation(), Observation(), Observation())
    val read = source.read(spark)
    val sources = sourcesOf(read, job, output)
    val watched = read.observe(before, rowCount)
    if (badOutput.isDefined) SplitRows.checkNames(read.columns.toSeq)
    val ScoredFrame(scored, binding, _) = checkingFiles(read, source, job) {
      bound(if (badOutput.isDefined) SplitRows.withFile(watched) else watched, located, job)
    }
    val bad = badOutput.map { folder =>
      val outputs = binding.outputs.map(_.column)
      val split = SplitRows.of(scored, read.columns.toSeq, job.keep, outputs)
      folder.checkColumns(split.bad.schema)
      BadRows(folder, split, split.bad.observe(aside, rowCount))
    }
    val good = bad.fold(scored)(_.split.good)
    // A model never returns null, so a null prediction is a row with a null input.
    val isNull = col(s"`${good.columns.last.replace("`", "``")}`").isNull
    val counted = good.observe(after, rowCount, count_if(isNull).as("nulls"))
    output.checkColumns(counted.schema)
    val others = output.place.fold(sources)(OwnInput.withoutFiles(_, sources))
    val snapshot = InputSnapshot.of(others, HadoopConf.of(spark))
    val key = JobIdentity.keyOf(job, located.model.digest, snapshot)
    val counts = new Counts(before, after, bad.map(_ => aside))
    val isView = job.mode == "append" && job.source.table.isDefined
    def refuseStale(): Unit = if (isView) output.refuseStale(sources, source.read(spark))
    Plan(output, counted, binding, located, counts, key, bad, () => refuseStale())
  }

  private def rowCount: Column = count(lit(1)).as("rows")

  private def checkedBadRows(
      spark: SparkSession,
      job: BatchJob,
      run: String,
      output: Output,
      inputs: Seq[String],
      folder: String
  ): BadRowsOutput = {
    val bad = new BadRowsOutput(spark, folder, job.mode, run, output)
    bad.check(inputs)
    (output.place ++ job.source.path.map(new Path(_))).foreach(bad.checkBeside)
    bad
  }

  private def checkedOutput(
      spark: SparkSession,
      job: BatchJob,
      run: String,
      inputs: Seq[String]
  ): Output = {
    val output = Output.of(spark, job.target, job.mode, run)
    if (job.runId.nonEmpty && !output.recordsRuns)
      throw new UsageException(Explain(
        s"The ${job.target} cannot mark a run as done.",
        expected = "a folder, or a table of files, as the output of a run with an id",
        hint = "leave out --run-id, or write to --output."
      ))
    UnusedOptions.refuseOfReader(job.source.options)
    UnusedOptions.refuseOfWriter(job.target.options)
    Lakes.refuse(spark, job.source, "input")
    Lakes.refuse(spark, job.target, "output")
    OwnInput.refuseSameTable(spark, job, output)
    output.check(inputs)
    job.report.foreach(ReportFile.check(spark, _))
    output
  }

  /** The sources of the rows; refuses those that the job would change. */
  private def sourcesOf(rows: DataFrame, job: BatchJob, output: Output): Seq[Source] = {
    val sources = Source.of(rows)
    // A view may read the table that is appended to, for example to leave out the rows in it.
    if (job.mode == "overwrite" || (job.mode == "append" && job.source.path.isDefined))
      output.checkSources(sources)
    sources
  }

  private def bound(rows: DataFrame, located: LocatedModel, job: BatchJob): ScoredFrame = {
    val constants = Constants.columns(job.options.signatureOf(located.model), job.constants)
    val options =
      if (job.badRows.isEmpty) job.options
      else job.options.copy(onError = OnError.GiveNull(Some(SplitRows.Reason)))
    FrameScorer(rows, located, job.call(constants), options)
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
            files.explainUnbound(rows.columns.toSeq)
            throw error
        }
      val fed = scored.binding.inputs.flatMap(_.columns)
      val isSome = job.badRows.isEmpty && job.keep.isDefined
      files.check(Option.when(isSome)((scored.kept ++ fed).map(_.takeWhile(_ != '.')).toSet))
      scored
    }
}
