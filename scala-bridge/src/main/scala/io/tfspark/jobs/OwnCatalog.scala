package io.tfspark.jobs

import java.net.URI

import io.tfspark.sql.HadoopConf
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.{classic, SparkSession}
import org.apache.spark.sql.catalyst.TableIdentifier
import org.apache.spark.sql.catalyst.catalog._

/** The session's own catalog, Hive's included: describes its tables, and changes them by calls that
  * SQL does not have. Driver; a classic session.
  *
  * All names are quoted.
  */
final private[jobs] class OwnCatalog(spark: SparkSession) {
  private lazy val session = spark.asInstanceOf[classic.SparkSession]
  private def tables: SessionCatalog = session.sessionState.catalog

  /** Whether there is a table or view, a temporary one included. */
  def has(name: String): Boolean = spark.catalog.tableExists(name)

  /** The format of a table in any catalog, such as `iceberg`; empty for a temporary view. */
  def providerOf(name: String): String = detailsOf(name).getOrElse("Provider", "").toLowerCase

  /** The definition of a table in another catalog. */
  def definitionOf(name: String): TableDefinition = {
    val lines = linesOf(name)
    val below = lines.dropWhile(!_._1.startsWith("# Partition")).takeWhile(_._1.nonEmpty)
    val partitions = // the transforms are called `Part 0`, `Part 1`
      if (below.headOption.exists(_._1 == "# Partitioning")) below.drop(1).map(_._2)
      else below.map(_._1).filterNot(_.startsWith("# "))
    TableDefinition(providerOf(name), partitions.filter(_.nonEmpty), takesOptions = true)
  }

  /** A table that is no view. */
  def find(name: String): Option[CatalogTable] =
    Option.when(has(name) && !isView(name))(tables.getTableMetadata(identifier(name)))

  def isView(name: String): Boolean = {
    val about = spark.catalog.getTable(name)
    about.isTemporary || Set("VIEW", "TEMPORARY")(about.tableType)
  }

  /** The qualified folder of a table; for a new table, its default folder. */
  def folderOf(table: TableName): Path = {
    val found = find(table.quoted).map(there => new Path(there.location))
    val path = found.getOrElse(table.defaultFolder(spark))
    path.getFileSystem(HadoopConf.of(spark)).makeQualified(path)
  }

  /** The folders of the partitions that the catalog knows. */
  def partitionFolders(name: String): Seq[URI] =
    tables.listPartitions(identifier(name), None).map(_.location)

  /** Create an empty external table with the definition of another table. */
  def createLike(name: String, table: CatalogTable, location: String): Unit =
    create(table, name, CatalogTableType.EXTERNAL, location, ignoreIfExists = false)

  /** Register a folder with files as a managed table; do nothing when the table exists.
    *
    * Spark's SQL refuses a folder that is not empty. Spark's own CREATE TABLE AS SELECT writes the
    * files first and then registers them with the same call.
    *
    * @param definition the table that has its columns, format and partitions
    */
  def register(name: String, definition: String, location: String): Unit = {
    val model = tables.getTableMetadata(identifier(definition))
    create(model, name, CatalogTableType.MANAGED, location, ignoreIfExists = true)
  }

  /** Register the partitions that are in the folder of a table.
    *
    * @param dropMissing remove partitions from the catalog that are not in the folder
    */
  def findPartitions(name: String, dropMissing: Boolean): Unit =
    spark.sql(s"MSCK REPAIR TABLE $name ${if (dropMissing) "SYNC" else "ADD"} PARTITIONS"): Unit

  /** Drop the statistics of a table, and the session's cache of its file list. */
  def forgetContents(name: String): Unit = {
    tables.alterTableStats(identifier(name), None)
    spark.catalog.refreshTable(name)
  }

  /** Drop a table if it exists. The files of an external table stay. */
  def drop(name: String): Unit = spark.sql(s"DROP TABLE IF EXISTS $name"): Unit

  private def create(
      model: CatalogTable,
      name: String,
      kind: CatalogTableType,
      location: String,
      ignoreIfExists: Boolean
  ): Unit = {
    val place = Some(CatalogUtils.stringToURI(location))
    val table = OwnCatalog.changed(
      model,
      identifier(name),
      kind,
      OwnCatalog.changed(model.storage, place)
    )
    tables.createTable(table, ignoreIfExists, validateLocation = false)
  }

  private def identifier(name: String): TableIdentifier =
    session.sessionState.sqlParser.parseTableIdentifier(name)

  private def detailsOf(name: String): Map[String, String] =
    if (spark.catalog.getTable(name).isTemporary) Map.empty
    else linesOf(name).dropWhile(_._1 != OwnCatalog.details).drop(1).toMap

  private def linesOf(name: String): Seq[(String, String)] = {
    val rows = spark.sql(s"DESCRIBE TABLE EXTENDED $name").select("col_name", "data_type")
    rows.collect().toSeq.map(row => row.getString(0) -> String.valueOf(row.get(1)))
  }
}

private object OwnCatalog {
  private val details = "# Detailed Table Information"

  /** Copy a case class with new first fields. Its later fields differ between versions of Spark, so
    * the compiled `copy` fails on other versions.
    */
  private def changed[A <: Product](value: A, first: Any*): A = {
    val fields = first ++ value.productIterator.drop(first.size)
    val maker = value.getClass.getConstructors.maxBy(_.getParameterCount)
    value.getClass.cast(maker.newInstance(fields.map(_.asInstanceOf[AnyRef]): _*))
  }
}
