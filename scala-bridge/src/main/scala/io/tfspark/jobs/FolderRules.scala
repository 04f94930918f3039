package io.tfspark.jobs

import io.tfspark.error._
import io.tfspark.jobs.commit.HiddenFolder
import org.apache.hadoop.fs.{FileSystem, Path}
import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.types._

/** Checks a folder of files as the output of a job. Driver.
  *
  * @param path qualified path of the folder
  * @param alreadyThere the error of a folder that exists in mode `error`
  * @param columnsHint what to do if existing files have other columns
  */
final private[jobs] class FolderRules(
    spark: SparkSession,
    target: Dataset,
    mode: String,
    files: FileSystem,
    path: Path,
    alreadyThere: => OutputExistsException,
    columnsHint: String
) {

  /** Refuse an existing output that the mode forbids, or that files cannot be moved into. */
  def checkThere(): Unit =
    if (files.exists(path)) {
      if (mode == "error") throw alreadyThere
      if (!files.getFileStatus(path).isDirectory)
        throw new OutputExistsException(Explain(
          s"$path is a file.",
          expected = "a folder, or nothing"
        ))
      Places.checkCreatable(files, new Path(path, HiddenFolder.Success))
    }

  /** Refuse rows that cannot be written. */
  def checkWritable(schema: StructType): Unit = {
    Partitions.check(target, schema)
    if (target.format == "csv") refuseNested(schema)
  }

  /** Refuse to append rows with other columns than the existing rows. */
  def checkAppend(schema: StructType): Unit =
    if (mode == "append" && hasData) {
      Partitions.checkSame(files, path, target)
      val isCsv = target.format == "csv"
      if (!isCsv || target.option("header").forall(_.equalsIgnoreCase("true"))) {
        val literal = FolderRules.escapedGlob(path.toString) // Spark takes the path as a glob
        val there = Dataset(Some(literal), None, target.format, target.options).read(spark).schema
        // CSV, JSON and folder names have no types, so only names are compared.
        val isUntyped = isCsv || target.format == "json"
        val written = StructType(schema.map(field => field.copy(dataType = stored(field.dataType))))
        val comparable = StructType(there.map { field =>
          val isFolder = target.partitionBy.exists(_.equalsIgnoreCase(field.name))
          if (isUntyped || isFolder) untyped(written, field) else field
        })
        if (target.format != "json")
          Output.checkSame(target, comparable, written, ordered = isCsv, columnsHint)
      }
    }

  /** The type that values of a type have after they are written to the target and read. */
  private def stored(kind: DataType): DataType = kind match {
    case ByteType | ShortType if target.format == "avro" => IntegerType
    case _: StringType if Set("avro", "orc")(target.format) => StringType
    case ArrayType(element, hasNull) => ArrayType(stored(element), hasNull)
    case MapType(key, value, hasNull) => MapType(stored(key), stored(value), hasNull)
    case StructType(fields) =>
      StructType(fields.map(field => field.copy(dataType = stored(field.dataType))))
    case other => other
  }

  private def hasData: Boolean =
    files.exists(path) && files.listStatus(path).exists(status =>
      !FolderRules.isHidden(status.getPath.getName)
    )

  private def untyped(schema: StructType, field: StructField): StructField =
    schema.fields.find(_.name == field.name).fold(field)(same =>
      field.copy(dataType = same.dataType)
    )

  private def refuseNested(schema: StructType): Unit = {
    val nested = schema.fields.filter { field =>
      field.dataType match {
        case _: ArrayType | _: StructType | _: MapType | BinaryType => true
        case _ => false
      }
    }
    if (nested.nonEmpty)
      throw new BindingException(
        Explain(
          s"CSV cannot hold ${Explain.listing(nested.map(_.name))} in $target.",
          expected = "columns of numbers, strings, dates or booleans",
          found = Output.describe(StructType(nested)),
          hint = "leave them out with --keep and --fetch, or write parquet or json."
        )
      )
  }
}

private[jobs] object FolderRules {

  /** A glob that matches only this name. */
  def escapedGlob(name: String): String = name.replaceAll("""[*?\[\]{}\\]""", """\\$0""")

  /** Whether Spark's readers ignore a name. */
  def isHidden(name: String): Boolean =
    (name.startsWith("_") && !name.contains("=") && !isSummary(name)) || name.startsWith(".") ||
      name.endsWith("._COPYING_")

  private def isSummary(name: String): Boolean =
    name.startsWith("_metadata") || name.startsWith("_common_metadata")
}
