package io.tfspark.jobs

import scala.collection.mutable

import io.tfspark.error._
import io.tfspark.sql.HadoopConf
import org.apache.hadoop.fs.{FileSystem, Path}
import org.apache.spark.sql.{DataFrame, SparkSession}
import org.apache.spark.sql.types._

/** A folder of files: staged beside its place as `.<name>.tfspark-<run>`, shown by a rename.
  * Driver.
  *
  * What is shown are exactly the files that were staged: they are moved, one by one, out of the
  * folder that tasks write into, so that a file of a lost attempt that appears there later stays
  * behind.
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
  private val ready = staged.suffix("-ready")
  private val old = staged.suffix("-old")
  private val taken = mutable.Buffer.empty[String]

  override def check(inputs: Seq[String]): Unit = {
    Places.checkCreatable(files, path)
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
    Partitions.check(target, schema)
    if (target.format == "csv") refuseNested(schema)
    if (mode == "append" && hasData) Partitions.checkSame(files, path, target)
    if (mode == "append" && hasData) {
      val isCsv = target.format == "csv"
      if (!isCsv || target.writeOptions.get("header").contains("true")) {
        val there =
          Dataset(Some(path.toString), None, target.format, target.options).read(spark).schema
        // CSV, JSON and the names of folders tell no types, so that only names can be held against them.
        val isUntyped = isCsv || target.format == "json"
        val comparable = StructType(there.map { field =>
          val isFolder = target.partitionBy.exists(_.equalsIgnoreCase(field.name))
          if (isUntyped || isFolder) untyped(schema, field) else field
        })
        if (target.format != "json") Output.checkSame(target, comparable, schema, ordered = isCsv)
      }
    }
  }

  override def stage(rows: DataFrame): Unit = {
    rows.write
      .format(target.format)
      .options(target.writeOptions)
      .partitionBy(target.partitionBy: _*)
      .save(staged.toString)
    taken ++= filesBelow(staged)
  }

  override def publish(): Unit = {
    val exists = files.exists(path)
    if (exists && mode == "error")
      throw Output.alreadyThere(target) // since the check, by someone else
    if (exists && mode == "append") append()
    else {
      files.mkdirs(ready): Unit
      taken.foreach(move(_, ready))
      files.create(new Path(ready, "_SUCCESS")).close() // as Spark marks a whole folder
      Output.replace(exists)(rename(path, old))(rename(ready, path))(rename(old, path))
      files.delete(old, true): Unit
    }
    discard()
  }

  override def discard(): Unit = Seq(ready, staged).foreach(files.delete(_, true))

  /** Move the new files in; their names hold an id of the job, so none exists yet. */
  private def append(): Unit = {
    val moved = Seq.newBuilder[String]
    try
      taken.foreach { name =>
        move(name, path)
        moved += name
      }
    catch {
      case error: Throwable =>
        moved.result().foreach(name => files.delete(new Path(path, name), true))
        throw error
    }
  }

  private def move(name: String, folder: Path): Unit = {
    val place = new Path(folder, name)
    files.mkdirs(place.getParent): Unit
    rename(new Path(staged, name), place)
  }

  /** Names below a folder of all files that are data. */
  private def filesBelow(folder: Path): Seq[String] = {
    val found = files.listFiles(folder, true)
    Iterator.continually(found.hasNext).takeWhile(identity).map(_ => found.next().getPath).map(
      _.toString.stripPrefix(s"$folder/")
    ).filterNot(_.split('/').exists(isHidden)).toSeq.sorted
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
