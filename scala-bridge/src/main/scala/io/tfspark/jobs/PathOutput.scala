package io.tfspark.jobs

import scala.util.control.NonFatal

import io.tfspark.error._
import io.tfspark.sql.HadoopConf
import org.apache.hadoop.fs.{FileSystem, Path}
import org.apache.spark.sql.{DataFrame, SparkSession}
import org.apache.spark.sql.types._

/** A folder of files: staged beside its place as `.<name>.tfspark-<run>`, shown by a rename.
  * Driver.
  */
final private[jobs] class PathOutput(
    spark: SparkSession,
    target: Dataset,
    mode: String,
    run: String
) extends Output {
  private val asGiven = new Path(target.path.mkString)
  private val files: FileSystem = asGiven.getFileSystem(HadoopConf.of(spark))
  private val path = files.makeQualified(asGiven)
  if (Option(path.getParent).isEmpty)
    throw new UsageException(Explain(
      s"${target.path.mkString} is a whole file system.",
      expected = "a folder in it"
    ))
  private val staged = new Path(path.getParent, s".${path.getName}.tfspark-$run")
  private val old = staged.suffix("-old")

  override def check(inputs: Seq[String]): Unit = {
    if (files.exists(path)) {
      if (mode == "error") throw Output.alreadyThere(target)
      if (!files.getFileStatus(path).isDirectory)
        throw new OutputExistsException(Explain(
          s"$path is a file.",
          expected = "a folder, or nothing"
        ))
      if (mode == "overwrite") inputs.find(isInside).foreach { input =>
        throw new UsageException(
          Explain(
            s"To overwrite $path would delete $input, which the job reads.",
            hint = "choose another output."
          )
        )
      }
    }
  }

  override def checkColumns(schema: StructType): Unit = {
    if (target.format == "csv") refuseNested(schema)
    if (mode == "append" && hasData) {
      val isCsv = target.format == "csv"
      if (!isCsv || target.writeOptions.get("header").contains("true")) {
        val there =
          Dataset(Some(path.toString), None, target.format, target.options).read(spark).schema
        // CSV and JSON files do not name types, so that only names can be held against them.
        val comparable =
          if (isCsv || target.format == "json") StructType(there.map(untyped(schema, _))) else there
        if (target.format != "json") Output.checkSame(target, comparable, schema, ordered = isCsv)
      }
    }
  }

  override def stage(rows: DataFrame): Unit =
    rows.write.format(target.format).options(target.writeOptions).save(staged.toString)

  override def publish(): Unit = {
    val exists = files.exists(path)
    if (exists && mode == "error")
      throw Output.alreadyThere(target) // since the check, by someone else
    if (exists && mode == "append") append()
    else {
      Output.replace(exists)(rename(path, old))(rename(staged, path))(rename(old, path))
      files.delete(old, true): Unit
    }
  }

  override def discard(): Unit = files.delete(staged, true): Unit

  /** Move the new files in; their names hold an id of the job, so none exists yet. */
  private def append(): Unit = {
    val names = files.listStatus(staged).toSeq.map(_.getPath.getName).filterNot(isHidden)
    val moved = Seq.newBuilder[Path]
    try
      names.foreach { name =>
        rename(new Path(staged, name), new Path(path, name))
        moved += new Path(path, name)
      }
    catch {
      case NonFatal(error) =>
        moved.result().foreach(files.delete(_, true))
        throw error
    }
    discard()
  }

  private def rename(from: Path, to: Path): Unit =
    if (!files.rename(from, to)) throw new JobFailedException(s"$from could not be renamed to $to.")

  private def hasData: Boolean =
    files.exists(path) && files.listStatus(path).exists(status => !isHidden(status.getPath.getName))

  private def isHidden(name: String): Boolean = name.startsWith("_") || name.startsWith(".")

  private def isInside(input: String): Boolean = {
    val other = new Path(input)
    other.getFileSystem(HadoopConf.of(spark)).makeQualified(other).toString.startsWith(s"$path/")
  }

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
          s"CSV has no place for ${Explain.listing(nested.map(_.name))} in $target.",
          expected = "columns of numbers, strings, dates or booleans",
          found = Output.describe(StructType(nested)),
          hint = "leave them out with --keep and --fetch, or write parquet or json."
        )
      )
  }
}
