package io.tfspark.jobs

import java.net.URLDecoder
import java.nio.charset.StandardCharsets.UTF_8

import io.tfspark.error._
import io.tfspark.model.ColumnAtHand
import org.apache.hadoop.fs.{FileSystem, Path}
import org.apache.spark.sql.types.StructType

/** Checks the columns by which an output is partitioned into folders, such as `day=2026-01-02`.
  * Driver.
  */
private[jobs] object Partitions {

  /** Refuse partition columns that the rows do not have, and partitioning by all columns. */
  def check(target: Dataset, schema: StructType): Unit = {
    val columns = schema.fieldNames.toSeq
    val unknown = target.partitionBy.filter(ColumnAtHand.resolve(_, columns, false).isEmpty)
    if (unknown.nonEmpty)
      throw new BindingException(
        Explain.unknown("The output cannot be partitioned", unknown, columns)
      )
    target.partitionBy.find(_.startsWith(".")).foreach { name =>
      throw new BindingException(
        Explain(
          s"The output cannot be partitioned by $name.",
          found = "Spark's readers ignore the folders of a name that begins with a dot",
          hint = "rename the column, or choose another --partition-by."
        )
      )
    }
    if (target.partitionBy.size >= columns.size)
      throw new BindingException(
        Explain(
          "The output cannot be partitioned by all of its columns.",
          hint = "leave one out of --partition-by."
        )
      )
  }

  /** Refuse rows in a partition whose folder Spark's readers ignore. */
  def refuseHidden(target: Dataset, files: Seq[String]): Unit = {
    val folders = files.flatMap(_.split('/').toSeq.init).distinct
    folders.find(name => name.contains('=') && FolderRules.isHidden(name)).foreach { folder =>
      throw new BindingException(
        Explain(
          s"Spark's readers would not see some rows of $target.",
          found = s"the folder $folder",
          hint = "change the value, or choose another --partition-by."
        )
      )
    }
  }

  /** Whether a partition is in the folder that Spark gives it below the table's folder. */
  def isInPlace(folder: String, root: String, columns: Seq[String]): Boolean = {
    val names = folder.stripPrefix(s"$root/").split('/').toSeq.map(column(_).toLowerCase)
    folder.startsWith(s"$root/") && names == columns.map(_.toLowerCase)
  }

  /** The column in the name of a folder. */
  private def column(folder: String): String =
    URLDecoder.decode(folder.takeWhile(_ != '=').replace("+", "%2B"), UTF_8)

  /** Refuse to append rows with other partition columns than those of the existing folders. Spark
    * names folders as the caller writes the columns, and folders in both cases are two partitions.
    */
  def checkSame(files: FileSystem, path: Path, target: Dataset): Unit = {
    val there = in(files, path)
    if (there != target.partitionBy)
      throw new BindingException(
        Explain(
          s"The rows cannot be appended to $target.",
          expected = s"partitions by ${Explain.listing(there)}",
          found = s"partitions by ${Explain.listing(target.partitionBy)}",
          hint =
            if (there.isEmpty) "leave out --partition-by."
            else s"choose --partition-by ${there.mkString(",")}."
        )
      )
  }

  /** The partition columns of a folder, from the names of the folders in it. */
  private def in(files: FileSystem, path: Path): Seq[String] =
    files.listStatus(path).toSeq.map(_.getPath).find(isPartition) match {
      case Some(folder) =>
        column(folder.getName) +: in(files, folder)
      case None => Nil
    }

  private def isPartition(path: Path): Boolean =
    path.getName.indexOf('=') > 0 && !path.getName.startsWith(".")
}
