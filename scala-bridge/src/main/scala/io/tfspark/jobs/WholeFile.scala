package io.tfspark.jobs

import java.nio.{file => nio}
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, FileSystemException, Paths}
import java.nio.file.StandardCopyOption.ATOMIC_MOVE
import java.nio.file.attribute.PosixFilePermissions
import java.util.UUID

import scala.util.Using

import io.tfspark.jobs.commit.{Mounts, Stores}
import org.apache.hadoop.fs.{FileContext, FileSystem, Path}
import org.apache.hadoop.fs.Options.Rename

/** Writes a file as a whole: readers see the old text or the new one, never a part. Driver. */
private[jobs] object WholeFile {
  private val ofThisUser =
    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))

  /** File systems that show a file before it is closed; object stores show it when it is closed. */
  private val showOpenFiles = Set("hdfs", "webhdfs", "swebhdfs", "viewfs")

  /** Write a file. An existing local file is replaced and keeps its permissions. A link stays, and
    * its target is replaced. A pipe or a device is written directly.
    *
    * @param path its qualified path
    * @param isPrivate whether only this user can read a new local file
    */
  def write(files: FileSystem, path: Path, text: String, isPrivate: Boolean = false): Unit =
    if (Stores.isLocal(path)) writeLocal(Paths.get(path.toUri.getPath), text, isPrivate)
    else if (showOpenFiles(path.toUri.getScheme.toLowerCase)) replace(files, path, text)
    else create(files, path, text)

  private def writeLocal(named: nio.Path, text: String, isPrivate: Boolean): Unit =
    if (isSpecial(named)) Files.writeString(named, text): Unit
    else {
      val place = Paths.get(Stores.behindLinks(new Path(named.toUri)).toUri.getPath)
      if (!Files.isDirectory(place.getParent)) Files.createDirectories(place.getParent): Unit
      val part = place.resolveSibling(s".tfspark-${UUID.randomUUID}")
      try {
        if (isPrivate) Files.createFile(part, ofThisUser): Unit
        Files.writeString(part, text): Unit
        if (Files.exists(place))
          Files.setPosixFilePermissions(part, Files.getPosixFilePermissions(place)): Unit
        try Files.move(part, place, ATOMIC_MOVE): Unit
        catch { // a container has mounted this file, so it is written in place
          case _: FileSystemException if Mounts.isPoint(place.toString) =>
            Files.writeString(place, text): Unit
        }
      } finally Files.deleteIfExists(part): Unit
    }

  private def isSpecial(place: nio.Path): Boolean =
    place.startsWith("/dev") || place.startsWith("/proc") ||
      (Files.exists(place) && !Files.isRegularFile(place))

  /** Write a file of Hadoop under another name, and rename it. */
  def replace(files: FileSystem, path: Path, text: String): Unit = {
    val part = new Path(path.getParent, s".tfspark-${UUID.randomUUID}")
    try {
      create(files, part, text)
      FileContext.getFileContext(files.getUri, files.getConf).rename(part, path, Rename.OVERWRITE)
    } finally files.delete(part, false): Unit
  }

  private def create(files: FileSystem, path: Path, text: String): Unit =
    Using.resource(files.create(path, true))(_.write(text.getBytes(UTF_8)))
}
