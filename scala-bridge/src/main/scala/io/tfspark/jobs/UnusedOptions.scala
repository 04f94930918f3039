package io.tfspark.jobs

import io.tfspark.error._

/** Refuses options that Spark's readers and writers accept but ignore, because each is set by a
  * method instead. Driver.
  */
private[jobs] object UnusedOptions {
  private val first = "create the table first, and write to it with --mode append or overwrite."

  private val ofReader = Map(
    "format" -> "choose --input-format.",
    "path" -> "choose --input.",
    "schema" ->
      "leave it out: the schema comes from the files, or read a table with --input-table."
  )
  private val ofWriter = Map(
    "bucketby" -> first,
    "clusterby" -> first,
    "format" -> "choose --output-format.",
    "mode" -> "choose --mode.",
    "partitionby" -> "choose --partition-by COLUMN[,COLUMN…].",
    "path" -> "choose --output.",
    "sortby" -> first
  )

  /** Refuse options of the input that would have no effect. */
  def refuseOfReader(options: Map[String, String]): Unit = refuse("reader", options, ofReader)

  /** Refuse options of the output that would have no effect. */
  def refuseOfWriter(options: Map[String, String]): Unit = refuse("writer", options, ofWriter)

  private def refuse(who: String, options: Map[String, String], known: Map[String, String]): Unit =
    options.keys.find(name => known.contains(name.toLowerCase)).foreach { name =>
      throw new UsageException(
        Explain(s"Spark's $who ignores the option '$name'.", hint = known(name.toLowerCase))
      )
    }
}
