package io.tfspark.engine

import java.io.IOException
import java.nio.channels.FileChannel
import java.nio.file.{Files, LinkOption, Path, StandardOpenOption}
import java.util.concurrent.ConcurrentHashMap

import scala.jdk.CollectionConverters._
import scala.util.{Try, Using}

import io.tfspark.error._
import io.tfspark.model.ModelFiles

/** This node's folder of models, each under its digest. Driver and executor.
  *
  * A model appears whole, by a rename under a lock, or not at all. Only one of the executors on a
  * node fetches it. No other user except root can put files there (`PrivateFolder`), and a process
  * hashes a folder before it first opens the model in it.
  */
object NodeFolder {
  // Folders that this process has hashed and found correct.
  private val verified = ConcurrentHashMap.newKeySet[Path]()

  /** The folder: `jvm` in `TFSPARK_CACHE_DIR`, or else in this user's folder in the temporary
    * directory.
    */
  def root: Path = {
    val folder = PrivateFolder.ofUser
    try {
      PrivateFolder.make(folder)
      PrivateFolder.refuseShared(folder)
      PrivateFolder.refuseOpenParents(folder)
      // Separate from the folders of Python workers, which remove each other's leftovers by name.
      val own = folder.resolve("jvm")
      PrivateFolder.make(own)
      PrivateFolder.refuseShared(own)
      own
    } catch { case error: IOException => throw PrivateFolder.unusable(folder, error.toString) }
  }

  /** The folder of a model; filled when it does not exist or its files have changed.
    *
    * @param size bytes of all files; a folder of another size lost files to a cleaner and is
    *   replaced
    * @param fill writes the files into a new folder; called by one process per node
    */
  def of(digest: String, size: Long)(fill: Path => Unit): Path = {
    val folder = root.resolve(digest)
    if (!isWhole(folder, digest, size)) locked(folder) {
      if (!isWhole(folder, digest, size)) replace(folder, digest, fill)
    }
    folder
  }

  /** Refuse a folder whose files are not those of a digest. */
  def check(folder: Path, digest: String): Unit =
    if (ModelFiles.digest(folder) != digest)
      throw new InvalidModelException(
        Explain(
          s"The model at $folder is not the one that the driver read.",
          expected = s"digest ${digest.take(12)}",
          hint = "it changed during the job, or on its way to this worker; export to a new " +
            "version folder instead of changing one."
        )
      )

  /** Delete a folder and its entries; of a link, delete only the link. */
  def delete(folder: Path): Unit =
    if (Files.exists(folder, LinkOption.NOFOLLOW_LINKS))
      Using.resource(
        Files.walk(folder)
      )(_.iterator.asScala.toSeq.reverse.foreach(Files.deleteIfExists))

  /** Delete a folder that no process uses, as far as this is possible. */
  private[engine] def discard(folder: Path): Unit = Try(delete(folder)): Unit

  /** The folders beside another one whose names begin with its name and a dot. */
  private[engine] def copiesOf(folder: Path): Seq[Path] =
    Using.resource(Files.newDirectoryStream(folder.getParent, s"${folder.getFileName}.*")) {
      _.asScala.filter(Files.isDirectory(_, LinkOption.NOFOLLOW_LINKS)).toSeq
    }

  /** Whether only this user can write a folder and its files have the digest. A process hashes the
    * files once and checks their sizes each time.
    */
  private def isWhole(folder: Path, digest: String, size: Long): Boolean =
    try
      size != 0 && PrivateFolder.isPrivate(folder) && ModelFiles.size(folder) == size &&
        (verified.contains(folder) || isVerified(folder, digest))
    catch {
      // Another process is replacing it, or it is no longer a model.
      case _: IOException | _: InvalidModelException => false
    }

  private def isVerified(folder: Path, digest: String): Boolean =
    ModelFiles.digest(folder, links = false) == digest && verified.add(folder)

  private def replace(folder: Path, digest: String, fill: Path => Unit): Unit = {
    copiesOf(folder).foreach(discard) // of processes that were killed
    val aside = Files.createTempDirectory(folder.getParent, s"$digest.")
    try {
      fill(aside)
      check(aside, digest)
      delete(folder)
      Files.move(aside, folder)
      val _ = verified.add(folder)
    } catch {
      case error: IOException => throw PrivateFolder.unusable(folder.getParent, error.toString)
    } finally delete(aside)
  }

  /** Run alone on this node: a file lock excludes other processes, the monitor other threads. A
    * lock that is a link or another user's file is refused, and not changed.
    */
  private[engine] def locked[A](folder: Path)(body: => A): A = synchronized {
    val lock = folder.resolveSibling(s"${folder.getFileName}.lock")
    try {
      if (Files.exists(lock, LinkOption.NOFOLLOW_LINKS) && !PrivateFolder.isOwnFile(lock))
        throw new IOException(s"$lock is not a regular file of this user")
      Using.resource(
        FileChannel.open(
          lock,
          StandardOpenOption.CREATE,
          StandardOpenOption.WRITE,
          LinkOption.NOFOLLOW_LINKS
        )
      )(channel => Using.resource(channel.lock())(_ => body))
    } catch {
      case error: IOException => throw PrivateFolder.unusable(folder.getParent, error.toString)
    }
  }
}
