package io.tfspark.jobs

import com.fasterxml.jackson.databind.node.ObjectNode
import io.tfspark.error._
import io.tfspark.jobs.commit.TableRecord
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.{DataFrame, SparkSession}
import org.apache.spark.sql.catalyst.catalog.CatalogTable
import org.apache.spark.sql.functions.col
import org.apache.spark.sql.types.StructType

/** A table of Spark's own catalog, Hive's included, that Spark keeps as files: the commit of its
  * folder. Driver.
  *
  * Spark writes the rows to an external table in the folder of the run, which has the columns and
  * format of the target. The files are then committed like those of any folder, and the catalog is
  * updated (`SessionTables`). The definition of the target never changes: columns, partition
  * columns, format, comments and properties stay. The lock is beside the table's folder, so a job
  * that writes the folder with `--output` and a job that writes the table exclude each other.
  *
  * @param table its name, with its schema
  * @param folder its qualified folder; for a new table, its default folder
  */
final private[jobs] class TableOutput private (
    spark: SparkSession,
    target: Dataset,
    mode: String,
    run: String,
    table: TableName,
    folder: Path
) extends PathOutput(spark, target, mode, run, folder) {
  private val catalog = new OwnCatalog(spark)
  private var there = catalog.find(table.quoted)

  /** The name of the staged table. */
  private val definition =
    table.sibling(
      s"${table.name.take(TableOutput.shown)}${TableName.Staged}${run.replace('-', '_')}"
    ).quoted

  override protected def checkThere(): Unit = {
    val place = catalog.folderOf(table)
    if (place != path)
      throw new OutputBusyException(
        Explain(
          s"Another program has just changed the $target.",
          expected = s"its files in $path",
          found = place.toString,
          hint = "run the same command again."
        )
      )
    if (there.isEmpty) refuseTaken()
    else if (mode == "error") throw Output.alreadyThere(target)
    else {
      there.foreach(refusePartitionsElsewhere)
      super.checkThere()
    }
  }

  /** Refuse to create the table if its folder has files. */
  private def refuseTaken(): Unit =
    if (store.names(root).nonEmpty)
      throw new OutputExistsException(
        Explain(
          s"The folder of the new table ${table.quoted} exists and is not empty.",
          found = path.toString,
          hint = "remove it, or choose another name."
        )
      )

  private def refusePartitionsElsewhere(there: CatalogTable): Unit =
    if (there.partitionColumnNames.nonEmpty) {
      val folders = catalog.partitionFolders(table.quoted).map(new Path(_).toString)
      folders.find(!Partitions.isInPlace(_, path.toString, there.partitionColumnNames)).foreach {
        folder =>
          throw new UsageException(
            Explain(
              s"A partition of the $target is not in the table's folder.",
              expected = s"folders such as $path/${there.partitionColumnNames.head}=…",
              found = folder,
              hint = "move the partition into the folder, or write to another table."
            )
          )
      }
    }

  /** Compare the columns with those of an existing table, in every mode. */
  override protected def checkSame(schema: StructType): Unit = there.foreach { found =>
    Output.checkSame(target, spark.table(table.quoted).schema, schema, ordered = false)
    TableDefinition(
      found.provider.mkString.toLowerCase,
      found.partitionColumnNames,
      takesOptions = false
    ).refuseOther(target)
  }

  override protected def refreshFiles(): Unit =
    there.foreach(_ => spark.catalog.refreshTable(table.quoted))

  override protected def checkAgain(isChanged: Boolean): Unit = {
    there = catalog.find(table.quoted)
    super.checkAgain(isChanged)
  }

  /** Remove an empty folder in the place of a new table, too. */
  override protected def open(): Unit = {
    if (there.isEmpty) store.removeEmpty(root)
    super.open()
  }

  /** Let Spark write rows to a table in the folder of the run. */
  override protected def write(rows: DataFrame): Unit = {
    commit.noteTable(definition)
    there match {
      case Some(model) =>
        catalog.createLike(definition, model, written.toString)
        BlankLines.refusing(filesOf(model), rows)(insert)
        catalog.drop(definition) // its files stay
      case None =>
        BlankLines.refusing(target, rows) {
          _.write
            .format(target.format)
            .options(target.options + ("path" -> written.toString))
            .partitionBy(target.partitionBy: _*)
            .saveAsTable(definition)
        }
    }
  }

  /** The target with the format, the options and the partitions of its files. */
  private def filesOf(found: CatalogTable): Dataset =
    target.copy(
      format = found.provider.mkString.toLowerCase,
      options = found.storage.properties,
      partitionBy = found.partitionColumnNames
    )

  /** Columns are matched by name. */
  private def insert(rows: DataFrame): Unit = {
    val columns = spark.table(definition).columns.toSeq
    val ordered = rows.select(columns.map(name => col(TableName.quoted(Seq(name)))): _*)
    TableOutput.anyPartition(spark)(ordered.write.insertInto(definition))
  }

  override def publish(account: ObjectNode): Unit = {
    // Another program created it after the check.
    if (mode == "error" && catalog.has(table.quoted)) throw Output.alreadyThere(target)
    super.publish(account)
  }

  override protected def tableRecord: Option[TableRecord] =
    Some(there match {
      case Some(found) =>
        TableRecord(table.quoted, path.toString, found.partitionColumnNames)
      case None =>
        TableRecord(table.quoted, path.toString, target.partitionBy, definition)
    })
}

private[jobs] object TableOutput {

  /** Characters of the target's name in the name of the staged table; a catalog allows 255. */
  private val shown = 150

  /** Hive's tables need it to take rows of any partition, as Spark's own tables do. */
  private val strict = "hive.exec.dynamic.partition.mode"

  /** The output of a table. */
  def of(
      spark: SparkSession,
      target: Dataset,
      mode: String,
      run: String,
      name: TableName
  ): TableOutput = {
    val catalog = new OwnCatalog(spark)
    if (catalog.has(name.quoted) && catalog.isView(name.quoted)) // a temporary one has no schema
      throw new OutputExistsException(
        Explain(s"${target.table.mkString} is a view.", expected = "a table, or nothing")
      )
    if (!catalog.has(name.quoted)) name.checkSchema(spark)
    val table = name.inSchema(spark)
    new TableOutput(spark, target, mode, run, table, catalog.folderOf(table))
  }

  private def anyPartition(spark: SparkSession)(write: => Unit): Unit = {
    val before = spark.conf.getOption(strict)
    spark.conf.set(strict, "nonstrict")
    try write
    finally before.fold(spark.conf.unset(strict))(spark.conf.set(strict, _))
  }
}
