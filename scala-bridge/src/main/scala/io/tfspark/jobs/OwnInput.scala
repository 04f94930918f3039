package io.tfspark.jobs

import java.net.URI
import java.nio.{file => nio}
import java.nio.file.{Files, Paths}
import java.util.Locale

import io.tfspark.error._
import io.tfspark.jobs.commit.Stores
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.SparkSession

/** Refuses an output that the job reads, that contains its input, or that is inside its input.
  * Driver.
  */
private[jobs] object OwnInput {

  /** Refuse a qualified folder that overlaps with an input. Mode `error` never changes existing
    * files.
    */
  def refuse(folder: Path, inputs: Seq[String], mode: String, conf: Configuration): Unit =
    if (mode != "error") {
      val written = Stores.canonical(folder, conf)
      inputs.find { input =>
        val read = Stores.canonical(new Path(input), conf)
        isInside(read, written) || isInside(written, read)
      }.foreach(input => throw wouldChange(folder.toString, input, mode))
    }

  /** Refuse a qualified folder with files that the job reads, such as those behind a view or a
    * glob.
    */
  def refuseFiles(folder: Path, sources: Seq[Source], mode: String): Unit =
    ownFolders(folder, sources).headOption.foreach { other =>
      throw wouldChange(folder.toString, s"files in $other", mode)
    }

  /** Refuse a query that reads its target, and whose plan lists other files of it than now, because
    * other jobs published rows after Spark had planned the query.
    */
  def refuseStale(folder: Path, planned: Seq[Source], now: Seq[Source]): Unit =
    if (ownFiles(folder, planned) != ownFiles(folder, now))
      throw new OutputBusyException(
        Explain(
          s"The files in $folder have changed since the query that reads them was planned.",
          expected = "no other job that publishes while this one starts",
          hint = "run the same command again."
        )
      )

  /** The sources of a query without the files of its target, which the job itself adds to.
    * Otherwise the same command would be another job after a kill.
    */
  def withoutFiles(folder: Path, sources: Seq[Source]): Seq[Source] = {
    val own = ownFiles(folder, sources)
    sources.map(source => source.copy(files = source.files.filterNot(own)))
  }

  private def ownFiles(folder: Path, sources: Seq[Source]): Set[String] = {
    val own = ownFolders(folder, sources).toSet
    sources.flatMap(_.files).filter(file => own(folderOf(file))).toSet
  }

  /** The folders of the files that are in a folder, behind its links. */
  private def ownFolders(folder: Path, sources: Seq[Source]): Seq[Path] = {
    val written = Stores.behindLinks(folder)
    val read = sources.flatMap(_.files).map(folderOf).distinct
    read.filter(other => isInside(Stores.behindLinks(other), written))
  }

  private def folderOf(file: String): Path = new Path(new URI(file)).getParent

  /** The folder of an input; none for a view, and for a table of another catalog. */
  def folderRead(spark: SparkSession, source: Dataset): Option[String] =
    source.path.orElse(named(spark, source).filter(_.catalog.isEmpty).flatMap { table =>
      new OwnCatalog(spark).find(table.quoted).map(found => new Path(found.location).toString)
    })

  /** Refuse to write into the table that the job reads. */
  def refuseSameTable(spark: SparkSession, job: BatchJob, output: Output): Unit = {
    val (read, written) = (named(spark, job.source), named(spark, job.target))
    val isAllowed = job.mode == "error" || (job.mode == "overwrite" && output.keepsReplacedRows)
    if (read.isDefined && read == written && !isAllowed)
      throw new UsageException(
        Explain(
          s"The ${job.target} is the input and the output of the job.",
          expected = "two tables",
          hint = "write to another table."
        )
      )
  }

  /** The error of an output that overlaps with the input. */
  def wouldChange(target: String, read: String, mode: String): UsageException =
    new UsageException(
      Explain(
        s"${if (mode == "overwrite") "Overwriting" else "Appending to"} $target would change " +
          s"$read, which the job reads.",
        expected = "an output outside of the input, and an input outside of the output",
        hint = "write to another place."
      )
    )

  /** The full name of a table; none for a name such as delta.`/path`. */
  private def named(spark: SparkSession, dataset: Dataset): Option[TableName] =
    try {
      val name = dataset.table.map(text => TableName.of(spark, text.toLowerCase(Locale.ROOT)))
      name.map(table => if (table.catalog.isEmpty) table.inSchema(spark) else table)
    } catch { case _: TfsparkException => None }

  /** Whether a path is a folder or is inside it; a local folder may be mounted at two places. */
  private def isInside(path: Path, folder: Path): Boolean =
    withSlash(path).startsWith(withSlash(folder)) ||
      (Stores.isLocal(path) && Stores.isLocal(folder) && isMountedInside(
        local(path),
        local(folder)
      ))

  private def isMountedInside(path: nio.Path, folder: nio.Path): Boolean = {
    val above = Iterator.iterate(path)(_.getParent).takeWhile(Option(_).isDefined)
    Files.exists(folder) && above.filter(Files.exists(_)).exists(Files.isSameFile(_, folder))
  }

  private def local(path: Path): nio.Path = Paths.get(path.toUri.getPath)

  private def withSlash(folder: Path): String = s"${folder.toString.stripSuffix("/")}/"
}
