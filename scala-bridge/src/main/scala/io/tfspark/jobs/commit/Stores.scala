package io.tfspark.jobs.commit

import java.io.IOException
import java.nio.{file => nio}
import java.nio.file.{AtomicMoveNotSupportedException, Files, FileSystemException}
import java.nio.file.{NoSuchFileException, Paths}
import java.nio.file.StandardCopyOption.ATOMIC_MOVE
import java.util.UUID

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileSystem, Path}
import org.slf4j.LoggerFactory

/** Chooses the store of a path. Driver. */
private[jobs] object Stores {
  private val log = LoggerFactory.getLogger(classOf[Store])

  /** File systems whose name node renames and creates files atomically. */
  private val ofHdfs = Set("hdfs", "webhdfs", "swebhdfs")

  /** The store of a qualified path, and the path in the form that the store takes.
    *
    * A `viewfs` path is resolved to the file system behind its mount links, so that staged files
    * and the output are on one file system. Each operation is logged at level DEBUG.
    */
  def of(path: Path, configuration: Configuration): (Store, String) = {
    val place = if (schemeOf(path) == "viewfs") behindMountLinks(path, configuration) else path
    val (store, root) =
      if (isLocal(place)) (new LocalStore, place.toUri.getPath)
      else {
        val files = place.getFileSystem(configuration)
        (new HadoopStore(files, configuration, ofHdfs(schemeOf(place))), place.toString)
      }
    (new WatchedStore(store, operation => log.debug(operation)), root)
  }

  /** The qualified path of a file or folder, behind its links. */
  def qualified(path: Path, configuration: Configuration): Path =
    behindLinks(path.getFileSystem(configuration).makeQualified(path))

  /** The path of a file or folder behind its links; on HDFS with address and port of the name node,
    * so that two of its names become equal.
    */
  def canonical(path: Path, configuration: Configuration): Path = {
    val place = path.getFileSystem(configuration).makeQualified(path)
    if (isLocal(place)) behindLinks(place)
    else {
      val there = behindMountLinks(place, configuration)
      // Other names of services lack the container or the volume.
      Option.when(ofHdfs(schemeOf(there)))(there.getFileSystem(configuration))
        .flatMap(files => Option(files.getCanonicalServiceName))
        .fold(there)(name => new Path(schemeOf(there), name, there.toUri.getPath))
    }
  }

  /** Resolves the symbolic links of a qualified path on this machine, so that all names of an
    * output have one hidden folder, on the disk of the files.
    */
  def behindLinks(path: Path): Path =
    if (isLocal(path)) new Path(s"file:${real(Paths.get(path.toUri.getPath))}") else path

  /** The path without links; the end of it need not exist. */
  private def real(path: nio.Path): nio.Path =
    try path.toRealPath()
    catch {
      case error: FileSystemException if Option(path.getParent).isDefined =>
        val there = real(path.getParent).resolve(path.getFileName)
        val isMissing = error.isInstanceOf[NoSuchFileException] // not a loop of links
        if (isMissing && Files.isSymbolicLink(there))
          real(there.resolveSibling(Files.readSymbolicLink(there)).normalize)
        else there
    }

  /** Whether a qualified path is on this machine. */
  def isLocal(path: Path): Boolean = schemeOf(path) == "file"

  /** Whether a local folder is a mount point, so that files beside it cannot be renamed into it.
    *
    * The kernel refuses such a rename before it looks for the source, so nothing changes.
    */
  def isMount(path: Path): Boolean = isLocal(path) && {
    val (folder, name) = (Paths.get(path.toUri.getPath), s".${UUID.randomUUID}")
    try {
      Files.move(folder.resolveSibling(name), folder.resolve(name), ATOMIC_MOVE): Unit
      false
    } catch {
      case _: AtomicMoveNotSupportedException => true
      case _: IOException => false
    }
  }

  private def schemeOf(path: Path): String = path.toUri.getScheme.toLowerCase

  /** Resolves mount links; a missing path is resolved by its first existing parent. */
  private def behindMountLinks(path: Path, configuration: Configuration): Path = {
    val files: FileSystem = path.getFileSystem(configuration)
    val above = Iterator.iterate(path)(_.getParent).takeWhile(Option(_).isDefined)
    val there = above.find(files.exists).getOrElse(path)
    val missing = path.toString.drop(there.toString.stripSuffix("/").length)
    new Path(files.resolvePath(there).toString.stripSuffix("/") + missing)
  }
}
