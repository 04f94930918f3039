package io.tfspark.jobs

import io.tfspark.ScoreOptions

/** What a user asks of a batch job. Driver. */
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
    options: ScoreOptions
)
