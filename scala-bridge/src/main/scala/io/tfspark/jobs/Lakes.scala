package io.tfspark.jobs

import scala.annotation.tailrec

import io.tfspark.error._
import io.tfspark.sql.HadoopConf
import org.apache.hadoop.fs.{FileSystem, Path}
import org.apache.spark.sql.SparkSession

/** Refuses to read or write folders of files that are a table of Delta Lake, Iceberg or Hudi.
  * Driver.
  *
  * Such a table keeps files whose rows were deleted or replaced; only its log lists the valid
  * files. The log is searched in the folder itself and in its parents, because the folder of one
  * partition is inside its table.
  */
private[jobs] object Lakes {

  /** A table format: its name, the names that mark its folders, and a hint how to use such a table.
    */
  final private case class Kind(name: String, marks: Seq[String], hint: (String, Path) => String)

  private val formats = Set("delta", "iceberg", "hudi")

  /** Number of parent folders that are searched, and of levels below a folder that Spark reads with
    * all folders in it; tables with more levels of partitions are rare.
    */
  private val levels = 5

  private val kinds = Seq(
    Kind(
      "a Delta table",
      Seq("_delta_log"),
      (flag, path) =>
        s"name the table with --$flag-table: by its name in the catalog, or as delta.`$path`; the " +
          "session needs the package io.delta:delta-spark_2.13 and Delta's extension."
    ),
    Kind(
      "an Iceberg table",
      Seq("metadata/*.metadata.json", "metadata/version-hint.text"),
      (flag, _) =>
        s"name the table with --$flag-table; the session needs the package " +
          "org.apache.iceberg:iceberg-spark-runtime and a catalog of Iceberg."
    ),
    Kind(
      "a Hudi table",
      Seq(".hoodie"),
      (flag, _) =>
        s"name the table with --$flag-table; the session needs the package " +
          "org.apache.hudi:hudi-spark-bundle and Hudi's extension."
    )
  )

  /** Refuse a path that is such a table, or is inside one.
    *
    * @param flag `input` or `output`
    */
  def refuse(spark: SparkSession, dataset: Dataset, flag: String): Unit =
    dataset.path.filterNot(_ => formats(dataset.format)).foreach { place =>
      val named = new Path(place)
      val files = named.getFileSystem(HadoopConf.of(spark))
      val whole = files.makeQualified(named)
      val isDeep = dataset.option("recursiveFileLookup").exists(_.equalsIgnoreCase("true"))
      val below = Option.when(isDeep)(new Path(whole, Seq.fill(levels)("*").mkString("/")))
      val found = (whole +: below.toSeq).flatMap(search(files, _, levels)).headOption
      found.foreach { case (kind, folder) =>
        val inside = if (folder == whole) "" else s", part of $folder"
        val among =
          if (flag == "input") "its files contain rows that were deleted or replaced."
          else "rows that are written there do not become part of the table."
        throw new InvalidInputException(
          Explain(
            s"$place is ${kind.name}$inside, not a folder of files: $among",
            hint = kind.hint(flag, folder)
          )
        )
      }
    }

  @tailrec
  private def search(files: FileSystem, folder: Path, above: Int): Option[(Kind, Path)] =
    kinds.find(_.marks.exists(isThere(files, folder, _))) match {
      case Some(kind) => Some(kind -> folder)
      case None if above > 0 && Option(folder.getParent).exists(!_.isRoot) =>
        search(files, folder.getParent, above - 1)
      case None => None
    }

  private def isThere(files: FileSystem, folder: Path, mark: String): Boolean =
    Option(files.globStatus(new Path(folder, mark))).exists(_.nonEmpty)
}
