package io.tfspark.engine

import java.nio.file.{Files, Path => LocalPath}

import io.tfspark.model.ModelWalk
import org.apache.hadoop.fs.{FileStatus, FileSystem, Path}

/** The folders of one open file system. One thread.
  *
  * Links are refused, because only the remote side knows their targets. The limits of a model are
  * those of `ModelWalk`.
  */
final class RemoteFolders private[engine] (files: FileSystem) {

  /** The names, lengths and times of all files below a folder. */
  def fingerprint(uri: String): Seq[(String, Long, Long)] =
    below(uri).collect {
      case (name, status) if status.isFile =>
        (name, status.getLen, status.getModificationTime)
    }.sorted

  /** Names of the entries of a folder; empty when it does not exist. */
  def entries(uri: String): Seq[String] = {
    val path = new Path(uri)
    val walk = new ModelWalk(uri)
    if (files.exists(path))
      statuses(path).map { status =>
        walk.meet(status.getPath.getName)
        status.getPath.getName
      }.toSeq
    else Nil
  }

  /** Copy the contents of a folder into a folder of this machine. */
  def copy(uri: String, into: LocalPath): Unit =
    below(uri).foreach { case (name, status) =>
      val target = into.resolve(name)
      if (status.isDirectory) Files.createDirectories(target)
      else {
        Files.createDirectories(target.getParent)
        files.copyToLocalFile(false, status.getPath, new Path(target.toUri), true)
      }
    }

  /** A folder on the path from `top` (exclusive) to `bottom` that is a link. */
  def linkBetween(top: String, bottom: String): Option[String] = {
    val depth = new Path(top).depth
    Iterator
      .iterate(Option(new Path(bottom)))(_.flatMap(path => Option(path.getParent)))
      .takeWhile(_.exists(_.depth > depth))
      .flatten
      .find(path => files.exists(path) && isLink(path))
      .map(_.toString)
  }

  /** Relative name and status of all files and folders below a folder. */
  private def below(uri: String): Seq[(String, FileStatus)] = {
    val walk = new ModelWalk(uri)
    def within(folder: Path, top: String): Seq[(String, FileStatus)] = {
      statuses(folder)
        .flatMap { status =>
          val name = top + status.getPath.getName
          walk.meet(name)
          if (status.isSymlink || isLink(status.getPath))
            throw walk.refusal(name, "a link", ModelWalk.NoLink)
          val own = Seq(name -> status)
          if (status.isDirectory) own ++ within(status.getPath, s"$name/") else own
        }
        .toSeq
    }
    within(new Path(uri), "")
  }

  private def statuses(folder: Path): Iterator[FileStatus] = {
    val found = files.listStatusIterator(folder)
    Iterator.continually(Option.when(found.hasNext)(found.next())).takeWhile(_.isDefined).flatten
  }

  private def isLink(path: Path): Boolean =
    files.supportsSymlinks && files.getFileLinkStatus(path).isSymlink
}
