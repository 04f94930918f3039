package io.tfspark.jobs

import java.io.FileNotFoundException
import java.net.URI

import scala.util.Try

import io.tfspark.sql.HadoopConf
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.{classic, DataFrame, SparkSession}
import org.apache.spark.sql.catalyst.catalog.{CatalogTable, HiveTableRelation}
import org.apache.spark.sql.catalyst.plans.logical.{LogicalPlan, OneRowRelation, Range}
import org.apache.spark.sql.connector.catalog.Table
import org.apache.spark.sql.execution.FileRelation
import org.apache.spark.sql.execution.datasources.LogicalRelation
import org.apache.spark.sql.execution.datasources.v2._

/** One source of a DataFrame. Driver.
  *
  * @param files the URIs of its files, escaped
  * @param version the version of a table, or of constant rows; empty if the files identify the rows
  * @param table the quoted name of a table of another catalog; empty for other sources
  * @param isIdentified whether `files` and `version` change when the rows change
  */
final private[jobs] case class Source(
    files: Seq[String] = Nil,
    version: String = "",
    table: String = "",
    isIdentified: Boolean = true
)

/** Finds all sources that a DataFrame reads. `DataFrame.inputFiles` gives no source without files,
  * such as JDBC, and no source in a subquery.
  */
private[jobs] object Source {

  /** The sources of rows, those of subqueries included. */
  def of(rows: DataFrame): Seq[Source] = {
    val plan = rows.asInstanceOf[classic.DataFrame].queryExecution.optimizedPlan
    (plan +: plan.subqueriesAll).flatMap(_.collectLeaves()).map(of(rows.sparkSession, _))
  }

  private def of(spark: SparkSession, leaf: LogicalPlan): Source = leaf match {
    case files: LogicalRelation => ofRelation(files.relation)
    case hive: HiveTableRelation => Source(filesOfHive(spark, hive.tableMeta))
    case scan: DataSourceV2ScanRelation => ofCatalog(scan.relation)
    case _: OneRowRelation | _: Range => Source(version = leaf.nodeName)
    case _ => Source(isIdentified = false)
  }

  private def ofRelation(relation: Any): Source = relation match {
    case files: FileRelation => Source(files.inputFiles.toSeq)
    case _ => Source(isIdentified = false)
  }

  private def ofCatalog(relation: DataSourceV2Relation): Source = relation.table match {
    case files: FileTable => Source(files.fileIndex.inputFiles.toSeq, table = nameOf(relation))
    case table =>
      val version = versionOf(table)
      Source(Nil, version.mkString, nameOf(relation), isIdentified = version.isDefined)
  }

  /** The version of a table that is read. If an Iceberg table is written at the same time, it may
    * report a version that is not the one that is read, so it has no version here.
    */
  private def versionOf(table: Table): Option[String] =
    if (table.getClass.getName.startsWith("org.apache.iceberg.")) None
    else // Spark 4.0 has no such method
      Try(table.getClass.getMethod("version").invoke(table)).toOption.flatMap(Option(_)).map {
        version => s"${table.name} $version"
      }

  private def nameOf(relation: DataSourceV2Relation): String =
    relation.catalog.zip(relation.identifier).fold("") { case (catalog, table) =>
      TableName.quoted(catalog.name +: table.namespace.toSeq :+ table.name)
    }

  /** The files of a table that Hive's own code reads: Spark knows only its folder. */
  private def filesOfHive(spark: SparkSession, table: CatalogTable): Seq[String] = {
    val name = TableName.quoted(Seq(table.database, table.identifier.table))
    val partitions =
      if (table.partitionColumnNames.isEmpty) Nil else new OwnCatalog(spark).partitionFolders(name)
    (table.location +: partitions).flatMap(filesBelow(spark, _)).distinct
  }

  private def filesBelow(spark: SparkSession, folder: URI): Seq[String] = {
    val path = new Path(folder)
    val files = path.getFileSystem(HadoopConf.of(spark))
    try {
      val found = files.listFiles(path, true)
      Iterator.continually(found.hasNext).takeWhile(identity)
        .map(_ => found.next().getPath.toUri.toString).toList
    } catch { case _: FileNotFoundException => Nil }
  }
}
