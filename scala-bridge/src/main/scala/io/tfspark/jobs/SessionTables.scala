package io.tfspark.jobs

import io.tfspark.error._
import io.tfspark.jobs.commit.{TableRecord, Tables}
import org.apache.spark.sql.SparkSession

/** The steps of a commit in the session's catalog, for tables that Spark keeps as files. Driver.
  *
  * The folder of a table is committed like any folder. These steps follow before the journal is
  * marked as done. If a run is killed between them, the journal stays, and the next start repeats
  * all steps. Python has the same steps, so each language finishes tables of the other.
  */
final private[jobs] class SessionTables(spark: SparkSession) extends Tables {
  private val catalog = new OwnCatalog(spark)

  /** Only the rows of an existing table change. */
  override def show(table: TableRecord, mode: String): Unit = {
    if (catalog.has(table.name)) refuseAnother(table) else register(table)
    if (table.partitions.nonEmpty)
      catalog.findPartitions(table.name, dropMissing = mode != "append")
    catalog.forgetContents(table.name)
    if (table.definition.nonEmpty) drop(table.definition)
  }

  /** Staged tables are external, so their files stay. */
  override def drop(name: String): Unit = catalog.drop(name)

  private def register(table: TableRecord): Unit = {
    if (table.definition.isEmpty || !catalog.has(table.definition))
      throw elsewhere(table, "no such table")
    catalog.register(table.name, table.definition, table.location)
  }

  private def refuseAnother(table: TableRecord): Unit = {
    val found =
      if (catalog.isView(table.name)) "a view"
      else catalog.folderOf(TableName.of(spark, table.name)).toString
    if (found != table.location) {
      if (table.definition.isEmpty) throw elsewhere(table, s"the table in $found")
      throw new OutputExistsException(
        Explain(
          s"Another program created the table ${table.name} during the job.",
          expected = s"a table in ${table.location}",
          found = found,
          hint = "drop one of the two tables, and run the job again."
        )
      )
    }
  }

  /** The error of a session that cannot finish a job; some of its files may be shown. */
  private def elsewhere(table: TableRecord, found: String): OutputBusyException =
    new OutputBusyException(
      Explain(
        s"A job has put its files into the folder of the table ${table.name}, and this session " +
          "cannot finish it.",
        expected = s"a catalog with the table in ${table.location}",
        found = found,
        hint = "run the same command with the catalog of the table; if another program dropped " +
          "the table, remove this folder and the hidden one beside it."
      )
    )
}
