package io.tfspark.engine

import java.nio.file.{Path => LocalPath}

import scala.util.Using

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.Path
import org.apache.spark.util.SerializableConfiguration

/** Files on Hadoop's file systems (hdfs, s3a, abfs, …), read only with the given settings.
  * Serialisable.
  *
  * Each use opens a new file system and closes it (`OwnFileSystem`).
  */
final class RemoteFiles(conf: SerializableConfiguration) extends Serializable {

  /** Use the file system of a URI. */
  def opened[A](uri: String)(use: RemoteFolders => A): A =
    Using.resource(OwnFileSystem.open(new Path(uri), conf.value))(files =>
      use(new RemoteFolders(files))
    )

  /** Copy the contents of a folder into a folder of this machine. */
  def copy(uri: String, into: LocalPath): Unit = opened(uri)(_.copy(uri, into))
}

object RemoteFiles {
  def apply(conf: Configuration): RemoteFiles = new RemoteFiles(new SerializableConfiguration(conf))
}
