package io.tfspark.jobs

import scala.util.Try

import io.tfspark.error._
import io.tfspark.jobs.commit._
import io.tfspark.sql.HadoopConf
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.catalyst.catalog.CatalogTableType

/** The steps of a commit in the session's catalog, for tables that Spark keeps as files. Driver.
  *
  * The folder of a table is committed like any folder. These steps follow before the journal is
  * marked as done. If a run is killed between them, the journal stays, and the next start repeats
  * all steps. Python has the same steps, so each language finishes tables of the other.
  *
  * @param folder qualified path of the output, the folder of the table
  */
final private[jobs] class SessionTables(spark: SparkSession, folder: Path) extends Tables {
  private val catalog = new OwnCatalog(spark)
  private val hidden = HiddenFolder(folder.toString).path

  /** Only the rows of an existing table change. */
  override def show(table: TableRecord, mode: String): Unit = {
    if (!TableName.isQuoted(table.name) || !isFolder(table.location))
      throw foreign(s"the table ${table.name} in ${table.location}")
    if (table.definition.nonEmpty) refuseOther(table.definition)
    if (catalog.has(table.name)) refuseAnother(table) else register(table)
    if (table.partitions.nonEmpty)
      catalog.findPartitions(table.name, dropMissing = mode != "append")
    catalog.forgetContents(table.name)
    if (table.definition.nonEmpty) drop(table.definition)
  }

  /** Staged tables are external, so their files stay. */
  override def drop(name: String): Unit = {
    refuseOther(name)
    catalog.drop(name)
  }

  /** Refuse a table that no job has staged beside this output. */
  private def refuseOther(name: String): Unit = {
    if (!TableName.isStaged(name)) throw foreign(s"the table $name")
    if (catalog.has(name) && !isStagedHere(name)) throw foreign(s"the table $name in another place")
  }

  private def isStagedHere(name: String): Boolean = {
    val within = s"${HiddenFolder(behindLinks(folder).toString).path}/${HiddenFolder.Work}"
    catalog.find(name).filter(_.tableType == CatalogTableType.EXTERNAL)
      .exists(table => behindLinks(new Path(table.location)).toString.startsWith(within))
  }

  /** A location in a record may be no path, or on a file system that Spark does not know. */
  private def isFolder(location: String): Boolean =
    Try(behindLinks(new Path(location))).toOption.contains(behindLinks(folder))

  private def behindLinks(path: Path): Path = Stores.qualified(path, HadoopConf.of(spark))

  private def register(table: TableRecord): Unit = {
    if (table.definition.isEmpty || !catalog.has(table.definition))
      throw elsewhere(table, "no such table")
    val name = TableName.of(spark, table.name)
    if (name.catalog.isDefined || behindLinks(name.defaultFolder(spark)) != behindLinks(folder))
      throw foreign(s"the new table ${table.name} in ${table.location}")
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

  private def foreign(found: String): OutputBusyException =
    new OutputBusyException(
      Explain(
        s"A file $hidden/${HiddenFolder.Work}*/${HiddenFolder.Table}, or journal, names a table " +
          s"that no job has staged for $folder.",
        expected = "the table of this folder, and a staged table in the hidden folder",
        found = found,
        hint = "find out who wrote the file, and move it away; then run the same command again."
      )
    )

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
