package io.tfspark.jobs

import io.tfspark.error._
import org.apache.spark.sql.{AnalysisException, DataFrame, SparkSession}

/** Where rows come from or go to: a path with its format and options, or a table. Driver.
  *
  * @param partitionBy columns by which Spark partitions the written files into folders
  */
final case class Dataset(
    path: Option[String],
    table: Option[String],
    format: String,
    options: Map[String, String],
    partitionBy: Seq[String] = Nil
) {

  override def toString: String = table.fold(s"$format at ${path.mkString}")(name => s"table $name")

  /** The rows, lazily; the schema is known. */
  def read(spark: SparkSession): DataFrame =
    try
      table.fold(spark.read.format(
        format
      ).options(readOptions).load(path.mkString))(
        spark.read.table
      )
    catch {
      case error: AnalysisException if Dataset.nothing(error.getCondition) =>
        throw new InputNotFoundException(
          Explain(
            s"There is no input: $this.",
            found = if (Dataset.isMissing(error)) "nothing" else "no file with rows",
            hint = "check the path or table name and the input format."
          ),
          Some(error)
        )
    }

  /** The same dataset, read with the merged columns of all Parquet or ORC files, not those of one
    * file.
    */
  def merging: Dataset =
    if (path.isDefined && Set("parquet", "orc")(format))
      copy(options = withUnset(Map("mergeSchema" -> "true")))
    else this

  /** Whether Spark merges the columns of all files. */
  def isMerging: Boolean = option("mergeSchema").exists(_.equalsIgnoreCase("true"))

  /** The value of an option; Spark ignores the case of its name. */
  def option(name: String): Option[String] =
    options.collectFirst { case (key, value) if key.equalsIgnoreCase(name) => value }

  /** Options of the reader, with the defaults of the format. */
  private def readOptions: Map[String, String] = withUnset(Dataset.readDefaults(format))

  /** Options of the writer. */
  def writeOptions: Map[String, String] =
    if (format == "csv") withUnset(Map("header" -> "true")) else options

  private def withUnset(defaults: Map[String, String]): Map[String, String] =
    defaults.filterNot { case (name, _) => option(name).isDefined } ++ options
}

object Dataset {
  private val missing = Set("PATH_NOT_FOUND", "TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND")

  /** Whether an error means that a path, table or schema does not exist. */
  def isMissing(error: AnalysisException): Boolean = missing(error.getCondition)

  private def nothing(condition: String): Boolean =
    missing(condition) || condition == "UNABLE_TO_INFER_SCHEMA"

  /** CSV files have a header, which is compared in every file, and types are inferred from the
    * values; a broken record ends the job. Column pruning is off, because Spark then counts the
    * fields of each line, even if it needs only a few columns.
    */
  private def readDefaults(format: String): Map[String, String] = format match {
    case "csv" => Map(
        "header" -> "true",
        "inferSchema" -> "true",
        "mode" -> "FAILFAST",
        "enforceSchema" -> "false",
        "columnPruning" -> "false"
      )
    case "json" => Map("mode" -> "FAILFAST")
    case _ => Map.empty
  }
}
