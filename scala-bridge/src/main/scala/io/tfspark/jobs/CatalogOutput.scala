package io.tfspark.jobs

import com.fasterxml.jackson.databind.node.ObjectNode
import io.tfspark.jobs.commit.{JobKey, Journal}
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.{DataFrame, SparkSession}
import org.apache.spark.sql.functions.{col, lit}
import org.apache.spark.sql.types.StructType
import org.apache.spark.storage.StorageLevel

/** A table of another catalog (Iceberg, Delta, JDBC) as the output of a job. Driver.
  *
  * One statement creates, appends to or overwrites such a table, after the rows were scored and
  * counted. It is one transaction if the catalog has transactions. An overwrite replaces only the
  * rows. There is no lock.
  */
final private[jobs] class CatalogOutput(
    spark: SparkSession,
    target: Dataset,
    mode: String,
    name: TableName
) extends Output {
  private val table = name.quoted
  private var held: Option[DataFrame] = None
  private var isPublished = false

  override def check(inputs: Seq[String]): Unit =
    if (!exists) name.checkSchema(spark)
    else if (mode == "error") throw Output.alreadyThere(target)

  override def checkSources(sources: Seq[Source]): Unit =
    if (!keepsReplacedRows && sources.exists(_.table == table))
      throw OwnInput.wouldChange(s"the $target", "its rows", mode)

  /** Whether the history of the table has the rows that an overwrite replaces. */
  override def keepsReplacedRows: Boolean =
    exists && Set("iceberg", "delta")(new OwnCatalog(spark).providerOf(table))

  override def checkColumns(schema: StructType): Unit = {
    Partitions.check(target, schema)
    if (exists) {
      Output.checkSame(target, spark.table(table).schema, schema, ordered = false)
      new OwnCatalog(spark).definitionOf(table).refuseOther(target)
    }
  }

  /** Other jobs are not locked out of a table. */
  override def begin(job: JobKey): Option[Journal] = None

  override def place: Option[Path] = None

  override def recordsRuns: Boolean = false

  override def hasLeftover: Boolean = false

  override def isDecided: Boolean = isPublished

  /** A table without a record does not show it. */
  override def mayHavePublished(job: JobKey): Boolean = true

  /** The rows are kept on the workers' disks, and written after they were counted, because the
    * statement cannot be undone.
    */
  override def stage(rows: DataFrame): Unit = {
    held = Some(rows.persist(StorageLevel.DISK_ONLY))
    rows.count(): Unit
  }

  override def publish(account: ObjectNode): Unit = {
    held.foreach(if (exists) insert(_) else create(_))
    isPublished = true
    release()
  }

  private def insert(rows: DataFrame): Unit = {
    if (mode == "error") throw Output.alreadyThere(target) // since the check, by someone else
    val columns = spark.table(table).columns.toSeq.map(name => col(TableName.quoted(Seq(name))))
    val ordered = rows.select(columns: _*)
    if (mode == "append") ordered.write.options(target.options).insertInto(table)
    else ordered.writeTo(table).options(target.options).overwrite(lit(true))
  }

  private def create(rows: DataFrame): Unit = {
    val plain = rows.writeTo(table).options(target.options)
    // With Parquet, the default, the catalog chooses its own format.
    val writer = if (target.format == "parquet") plain else plain.using(target.format)
    target.partitionBy.map(name => col(TableName.quoted(Seq(name)))) match {
      case first +: others => writer.partitionedBy(first, others: _*).create()
      case _ => writer.create()
    }
  }

  override def acknowledge(): Unit = ()

  override def discard(): Unit = release()

  private def release(): Unit = {
    held.foreach(_.unpersist())
    held = None
  }

  private def exists: Boolean = spark.catalog.tableExists(table)
}
