package io.tfspark.jobs

import io.tfspark.{FrameCall, ScoreOptions}
import io.tfspark.error.Terms
import org.apache.spark.sql.Column

/** The settings of a batch job. Driver.
  *
  * @param runId a key of the user's own: a job whose key is marked done is not run again; empty
  *   when there is none
  * @param badRows folder for bad rows; without it, the first bad row ends the job
  */
final case class BatchJob(
    model: String,
    source: Dataset,
    target: Dataset,
    mode: String,
    feed: Map[String, Seq[String]],
    fetch: Seq[(String, String)],
    keep: Option[Seq[String]],
    report: Option[String],
    distribute: Option[String],
    isDryRun: Boolean,
    constants: Map[String, String],
    allowMissing: Boolean,
    runId: String,
    badRows: Option[String],
    maxBadRows: BadRowLimit,
    options: ScoreOptions
) {

  /** The request to score the rows. */
  def call(values: Map[String, Column]): FrameCall =
    FrameCall(
      feed,
      Option.when(fetch.nonEmpty)(fetch),
      if (badRows.isEmpty) keep else None, // bad rows keep all columns
      values,
      Terms.Flags
    )
}
