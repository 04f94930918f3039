package io.tfspark.jobs

import java.io.IOException
import java.net.URI

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.DataFrame

/** Identifies an input by its files, with sizes and times. Driver. */
private[jobs] object InputSnapshot {

  /** One line for each file of a DataFrame; empty for a source without files, such as JDBC.
    *
    * Each folder is listed once. A file that cannot be listed is identified by its name.
    */
  def of(rows: DataFrame, conf: Configuration): Seq[String] = {
    val paths = rows.inputFiles.toSeq.map(uri => new Path(new URI(uri)))
    val listed = paths.map(_.getParent).distinct.flatMap(states(_, conf)).toMap
    paths.map(path => s"$path ${listed.getOrElse(path, "")}").sorted
  }

  private def states(folder: Path, conf: Configuration): Seq[(Path, String)] =
    try
      folder.getFileSystem(conf).listStatus(folder).toSeq.map { status =>
        status.getPath -> s"${status.getLen} ${status.getModificationTime}"
      }
    catch { case _: IOException => Nil }
}
