package io.tfspark.jobs.commit

import io.tfspark.error._

/** The catalog of the tables whose files are committed. Driver. */
private[jobs] trait Tables {

  /** Update the catalog to the files in the folder of a table; can be repeated. */
  def show(table: TableRecord, mode: String): Unit

  /** Drop a table, but not its files; do nothing when it does not exist. */
  def drop(name: String): Unit
}

/** For a caller without a catalog, who can recover only plain folders. */
private[jobs] object NoTables extends Tables {
  override def show(table: TableRecord, mode: String): Unit = throw refusal(table.name)

  override def drop(name: String): Unit = throw refusal(name)

  private def refusal(name: String): OutputBusyException =
    new OutputBusyException(
      Explain(
        s"A job into the table $name is unfinished, and its files are beside the output.",
        hint = "run it again in a session whose catalog has the table."
      )
    )
}
