package io.tfspark.jobs

import java.util.Locale

import com.fasterxml.jackson.databind.node.ObjectNode
import io.tfspark.error._
import io.tfspark.jobs.commit.{JobKey, Journal}
import io.tfspark.sql.HadoopConf
import org.apache.hadoop.fs.{FileSystem, Path}
import org.apache.spark.sql.{DataFrame, SparkSession}
import org.apache.spark.sql.catalyst.parser.{CatalystSqlParser, ParseException}
import org.apache.spark.sql.functions.col
import org.apache.spark.sql.types.StructType
import org.apache.spark.storage.StorageLevel

/** A table of the session's catalog, Hive's included: staged as another table, then renamed.
  * Driver.
  *
  * An overwrite replaces the table: the new one has the format of the job and no partitions. There
  * is no lock.
  */
final private[jobs] class TableOutput(
    spark: SparkSession,
    target: Dataset,
    mode: String,
    run: String
) extends Output {
  private val parts = TableOutput.parts(target.table.mkString)
  private val database = parts.init
  private val stagedName = s"${parts.last}__tfspark_${run.replace('-', '_')}"
  private val Seq(table, staged, old) =
    Seq(parts.last, stagedName, s"${stagedName}_old").map(name => quoted(database :+ name))

  private var held: Option[DataFrame] = None

  override def check(inputs: Seq[String]): Unit =
    if (!exists(table)) {
      if (database.nonEmpty && !spark.catalog.databaseExists(quoted(database)))
        throw new UsageException(
          Explain(
            s"There is no schema ${quoted(database)} for $target.",
            hint = s"create it first: CREATE SCHEMA ${quoted(database)}."
          )
        )
      folderOf(parts.last).foreach(refuseFolder)
    } else if (mode == "error") throw Output.alreadyThere(target)
    else if (Set("VIEW", "TEMPORARY")(spark.catalog.getTable(table).tableType))
      throw new OutputExistsException(Explain(
        s"${target.table.mkString} is a view.",
        expected = "a table, or nothing"
      ))

  override def checkColumns(schema: StructType): Unit =
    if (mode == "append" && exists(table))
      Output.checkSame(target, spark.table(table).schema, schema, ordered = false)

  /** Other jobs are not locked out of a table. */
  override def begin(job: JobKey): Option[Journal] = None

  /** Rows for an existing table are kept on the workers' disks. They are inserted after they were
    * counted, because an insert cannot be undone.
    */
  override def stage(rows: DataFrame): Unit =
    if (mode == "append" && exists(table)) {
      held = Some(rows.persist(StorageLevel.DISK_ONLY))
      rows.count(): Unit
    } else
      rows.write
        .format(target.format)
        .options(target.options)
        .partitionBy(target.partitionBy: _*)
        .saveAsTable(staged)

  override def publish(account: ObjectNode): Unit = {
    held.foreach { rows =>
      val columns = spark.table(table).columns.toSeq.map(name => col(quoted(Seq(name))))
      rows.select(columns: _*).write.insertInto(table)
    }
    if (exists(staged)) {
      if (mode == "error" && exists(table))
        throw Output.alreadyThere(target) // since the check, by someone else
      Output.replace(mode == "overwrite" && exists(table))(rename(table, old))(rename(
        staged,
        table
      ))(rename(old, table))
      drop(old)
    }
    release()
  }

  override def acknowledge(): Unit = ()

  override def discard(): Unit = {
    release()
    drop(staged)
    // Spark makes the folder of a new table before the table itself.
    folderOf(stagedName).foreach(folder => filesOf(folder).delete(folder, true))
  }

  private def refuseFolder(folder: Path): Unit = {
    val files = filesOf(folder)
    if (files.exists(folder) && files.listStatus(folder).nonEmpty)
      throw new OutputExistsException(
        Explain(
          s"The folder of the new table $table exists and is not empty.",
          found = folder.toString,
          hint = "remove it, or choose another name."
        )
      )
  }

  /** The folder that Spark's own catalog gives a new table; none in other catalogs. */
  private def folderOf(name: String): Option[Path] =
    Option.when(database.size <= 1 && spark.catalog.currentCatalog() == "spark_catalog") {
      val schema = database.headOption.getOrElse(spark.catalog.currentDatabase)
      new Path(
        spark.catalog.getDatabase(quoted(Seq(schema))).locationUri,
        name.toLowerCase(Locale.ROOT)
      )
    }

  private def filesOf(folder: Path): FileSystem = folder.getFileSystem(HadoopConf.of(spark))

  private def release(): Unit = {
    held.foreach(_.unpersist())
    held = None
  }

  private def exists(name: String): Boolean = spark.catalog.tableExists(name)

  private def rename(from: String, to: String): Unit =
    spark.sql(s"ALTER TABLE $from RENAME TO $to"): Unit

  private def drop(name: String): Unit = spark.sql(s"DROP TABLE IF EXISTS $name"): Unit

  private def quoted(names: Seq[String]): String =
    names.map(name => s"`${name.replace("`", "``")}`").mkString(".")
}

private object TableOutput {

  def parts(name: String): Seq[String] = {
    val found =
      try CatalystSqlParser.parseMultipartIdentifier(name)
      catch {
        case error: ParseException =>
          throw new UsageException(
            Explain(
              s"'$name' is no table name.",
              expected = "a name such as db.scores or `my db`.scores"
            ),
            Some(error)
          )
      }
    // Spark renames its own catalog's tables only without that catalog's name.
    if (found.size > 2 && found.head == "spark_catalog") found.drop(1) else found
  }
}
