package io.tfspark.jobs

import java.util.Locale

import com.fasterxml.jackson.databind.node.ObjectNode
import io.tfspark.error._
import io.tfspark.jobs.commit.{JobKey, Journal}
import io.tfspark.sql.HadoopConf
import org.apache.hadoop.fs.{FileSystem, Path}
import org.apache.spark.sql.{DataFrame, SparkSession}
import org.apache.spark.sql.functions.{col, lit}
import org.apache.spark.sql.types.StructType
import org.apache.spark.storage.StorageLevel

/** A table, Hive's included. Driver.
  *
  * A table of the session's catalog is staged as another table, then renamed. An overwrite replaces
  * the table: the new one has the format of the job and no partitions. Other catalogs may have no
  * rename, such as Iceberg's in a Hadoop folder: one statement writes their tables, after the rows
  * were scored and counted, and an overwrite keeps the definition. There is no lock.
  */
final private[jobs] class TableOutput(
    spark: SparkSession,
    target: Dataset,
    mode: String,
    run: String
) extends Output {
  private val parts = TableName.parts(target.table.mkString)
  private val isInSession = TableName.isInSession(spark, parts)
  private val database = parts.init
  private val stagedName = s"${parts.last}__tfspark_${run.replace('-', '_')}"
  private val Seq(table, staged, old) =
    Seq(parts.last, stagedName, s"${stagedName}_old").map(name => quoted(database :+ name))

  private var held: Option[DataFrame] = None
  private var isPublished = false

  override def check(inputs: Seq[String]): Unit =
    if (!exists(table)) {
      val hasSchema = database.size > (if (isInSession) 0 else 1)
      if (hasSchema && !spark.catalog.databaseExists(quoted(database)))
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
    if ((mode == "append" || (mode == "overwrite" && !isInSession)) && exists(table))
      Output.checkSame(target, spark.table(table).schema, schema, ordered = false)

  /** Other jobs are not locked out of a table. */
  override def begin(job: JobKey): Option[Journal] = None

  override def place: Option[Path] =
    if (exists(table)) TableOutput.location(spark, table) else folderOf(parts.last)

  override def hasLeftover: Boolean = false

  override def isDecided: Boolean = isPublished

  /** Rows that one statement writes are kept on the workers' disks. They are written after they
    * were counted, because the statement cannot be undone.
    */
  override def stage(rows: DataFrame): Unit =
    if (!isInSession || (mode == "append" && exists(table))) {
      held = Some(rows.persist(StorageLevel.DISK_ONLY))
      rows.count(): Unit
    } else
      rows.write
        .format(target.format)
        .options(target.options)
        .partitionBy(target.partitionBy: _*)
        .saveAsTable(staged)

  override def publish(account: ObjectNode): Unit = {
    held.foreach(if (exists(table)) insert(_) else create(_))
    if (isInSession && exists(staged)) {
      if (mode == "error" && exists(table))
        throw Output.alreadyThere(target) // since the check, by someone else
      Output.replace(mode == "overwrite" && exists(table))(rename(table, old))(rename(
        staged,
        table
      ))(rename(old, table))
      drop(old)
    }
    isPublished = true
    release()
  }

  private def insert(rows: DataFrame): Unit = {
    if (mode == "error") throw Output.alreadyThere(target) // since the check, by someone else
    val columns = spark.table(table).columns.toSeq.map(name => col(quoted(Seq(name))))
    val ordered = rows.select(columns: _*)
    if (mode == "append") ordered.write.insertInto(table)
    else ordered.writeTo(table).options(target.options).overwrite(lit(true))
  }

  private def create(rows: DataFrame): Unit = {
    val plain = rows.writeTo(table).options(target.options)
    // With Parquet, the default, the catalog chooses its own format.
    val writer = if (target.format == "parquet") plain else plain.using(target.format)
    target.partitionBy.map(name => col(quoted(Seq(name)))) match {
      case first +: others => writer.partitionedBy(first, others: _*).create()
      case _ => writer.create()
    }
  }

  override def acknowledge(): Unit = ()

  override def discard(): Unit = {
    release()
    if (isInSession) drop(staged)
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
    Option.when(database.size <= 1 && isInSession) {
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

  private def quoted(names: Seq[String]): String = TableName.quoted(names)
}

private object TableOutput {

  /** The folder of an existing table; none for a view. */
  def location(spark: SparkSession, table: String): Option[Path] =
    spark.sql(s"DESCRIBE TABLE EXTENDED $table")
      .where(col("col_name") === "Location").select("data_type")
      .collect().headOption.map(row => new Path(row.getString(0)))
}
