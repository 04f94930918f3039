package io.tfspark

import java.net.URI
import java.nio.file.Files

import org.apache.hadoop.fs.{FileStatus, Path, RawLocalFileSystem}

/** This machine's disk as a Hadoop file system with another scheme. */
final class OtherFileSystem extends RawLocalFileSystem {
  override def getUri: URI = URI.create("other:///")
  override def getScheme: String = "other"
  override def getFileStatus(path: Path): FileStatus = plain(super.getFileStatus(path))
  override def listStatus(path: Path): Array[FileStatus] = super.listStatus(path).map(plain)
  override def getFileLinkStatus(path: Path): FileStatus = {
    val file = pathToFile(path).toPath
    if (!Files.isSymbolicLink(file)) getFileStatus(path)
    else {
      val target = new Path(Files.readSymbolicLink(file).toUri)
      new FileStatus(0, false, 1, 1, 0, 0, null, null, null, target, path)
    }
  }
  override protected def checkPath(path: Path): Unit = ()

  // The statuses of the local file system look up permissions by `file:` paths.
  private def plain(status: FileStatus): FileStatus =
    new FileStatus(
      status.getLen,
      status.isDirectory,
      1,
      status.getBlockSize,
      status.getModificationTime,
      status.getPath
    )
}
