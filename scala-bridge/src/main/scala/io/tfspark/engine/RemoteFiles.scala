package io.tfspark.engine

import java.nio.file.{Files, Path => LocalPath}

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileSystem, Path}
import org.apache.spark.util.SerializableConfiguration

/** Files on Hadoop's file systems (hdfs, s3a, abfs, …), read with the session's settings.
  * Serialisable.
  */
final class RemoteFiles(conf: SerializableConfiguration) extends Serializable {

  /** The names, lengths and times of all files below a folder. */
  def fingerprint(uri: String): Seq[(String, Long, Long)] = {
    val listing = system(uri).listFiles(new Path(uri), true)
    Iterator
      .continually(Option.when(listing.hasNext)(listing.next()))
      .takeWhile(_.isDefined)
      .flatten
      .map(status => (status.getPath.toString, status.getLen, status.getModificationTime))
      .toSeq
      .sorted
  }

  /** Names of the entries of a folder; none when there is no such folder. */
  def entries(uri: String): Seq[String] = {
    val path = new Path(uri)
    val files = system(uri)
    if (files.exists(path)) files.listStatus(path).toSeq.map(_.getPath.getName) else Nil
  }

  /** Copy the contents of a folder into a folder of this machine. */
  def copy(uri: String, into: LocalPath): Unit = {
    val files = system(uri)
    files.listStatus(new Path(uri)).foreach { status =>
      val target = into.resolve(status.getPath.getName)
      if (status.isDirectory) copy(status.getPath.toString, Files.createDirectories(target))
      else files.copyToLocalFile(false, status.getPath, new Path(target.toUri), true)
    }
  }

  private def system(uri: String): FileSystem = new Path(uri).getFileSystem(conf.value)
}

object RemoteFiles {
  def apply(conf: Configuration): RemoteFiles = new RemoteFiles(new SerializableConfiguration(conf))
}
