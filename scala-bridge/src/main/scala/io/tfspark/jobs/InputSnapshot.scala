package io.tfspark.jobs

import java.io.IOException
import java.net.URI

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.Path

/** Identifies an input by its files, with sizes and times, and by the versions of tables. Driver.
  */
private[jobs] object InputSnapshot {

  /** One line for each file and each version; none if the state of a source, such as JDBC, is not
    * known.
    *
    * Each folder is listed once. A file that cannot be listed is identified by its name.
    */
  def of(sources: Seq[Source], conf: Configuration): Option[Seq[String]] =
    Option.when(sources.forall(_.isIdentified)) {
      val paths = sources.flatMap(_.files).map(uri => new Path(new URI(uri)))
      val listed = paths.map(_.getParent).distinct.flatMap(states(_, conf)).toMap
      sources.map(_.version).filter(_.nonEmpty).sorted ++
        paths.map(path => s"$path ${listed.getOrElse(path, "")}").sorted
    }

  private def states(folder: Path, conf: Configuration): Seq[(Path, String)] =
    try
      folder.getFileSystem(conf).listStatus(folder).toSeq.map { status =>
        status.getPath -> s"${status.getLen} ${status.getModificationTime}"
      }
    catch { case _: IOException => Nil }
}
