package io.tfspark.jobs.commit

import java.io.IOException
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file._
import java.nio.file.StandardOpenOption.{CREATE_NEW, READ, WRITE}
import java.nio.file.attribute.{BasicFileAttributes, PosixFilePermissions}
import java.util.UUID

import scala.annotation.tailrec
import scala.jdk.CollectionConverters._
import scala.util.Using

import com.sun.security.auth.module.UnixSystem
import org.slf4j.LoggerFactory

/** The file system of this machine, including mounted ones. Driver.
  *
  * Java cannot rename without replacing, and cannot exchange two folders. So `rename` first checks
  * the target. Between the check and the rename, another program could create the target. The same
  * is true of `create` where the file system has no hard links.
  *
  * @param link makes a hard link; its arguments are the new name and the file
  */
final private[jobs] class LocalStore(link: (Path, Path) => Path) extends Store {

  /** With the hard links of the file system. */
  def this() = this((name, file) => Files.createLink(name, file))

  /** Logged once. */
  private lazy val warning: Unit =
    LocalStore.log.warn(
      "the file system of the output has no hard links: a file that another job creates at the " +
        "same moment may be replaced, so a second job is not prevented from writing at the same time"
    )

  override def isAtomic: Boolean = true

  /** The number of the user. Network file systems may map root to another user. */
  override def userIn(folder: String): String =
    try {
      val probe = Files.createTempFile(Paths.get(folder), ".tfspark-", "")
      try Files.getAttribute(probe, "unix:uid").toString
      finally Files.delete(probe)
    } catch { case _: IOException | _: UnsupportedOperationException => LocalStore.user }

  override def access(path: String): Option[Access] = {
    val place = Paths.get(path)
    val isLink = Files.isSymbolicLink(place)
    def of(options: LinkOption*): Access = {
      val found = Files.readAttributes(place, "unix:uid,mode", options: _*)
      val mode = found.get("mode").asInstanceOf[Int] & LocalStore.permissions
      Access(found.get("uid").toString, mode, isLink)
    }
    try Some(if (isLink && Files.exists(place)) of() else of(LinkOption.NOFOLLOW_LINKS))
    catch { case _: NoSuchFileException | _: UnsupportedOperationException => None }
  }

  override def names(folder: String): Seq[String] =
    try
      Using.resource(Files.list(Paths.get(folder)))(
        _.iterator.asScala.map(_.getFileName.toString).toSeq.sorted
      )
    catch { case _: NoSuchFileException => Nil }

  /** A link exists even if its target does not. */
  override def exists(path: String): Boolean =
    Files.exists(Paths.get(path), LinkOption.NOFOLLOW_LINKS)

  override def read(path: String): Option[String] =
    try Some(new String(Files.readAllBytes(Paths.get(path)), UTF_8)) // another program may write it
    catch { case _: NoSuchFileException => None }

  /** Writes the text to another name, then makes a hard link. */
  override def create(path: String, text: String): Unit = {
    val target = Paths.get(path)
    val complete = target.resolveSibling(s".${target.getFileName}.${UUID.randomUUID}")
    try {
      Files.write(complete, text.getBytes(UTF_8), CREATE_NEW): Unit
      try link(target, complete): Unit
      catch {
        case error: FileSystemException if error.getClass == classOf[FileSystemException] =>
          createByRename(complete, path)
        case _: UnsupportedOperationException => createByRename(complete, path)
      }
    } finally Files.deleteIfExists(complete): Unit
  }

  private def createByRename(complete: Path, path: String): Unit = {
    warning
    rename(complete.toString, path)
  }

  /** Writes the first byte again; setting the time would use the driver's clock. */
  override def touch(path: String): Unit =
    Using.resource(FileChannel.open(Paths.get(path), READ, WRITE)) { file =>
      val first = ByteBuffer.allocate(1)
      file.read(first, 0): Unit
      file.write(first.flip(), 0): Unit
    }

  override def modified(path: String): Option[Long] =
    try Some(Files.getLastModifiedTime(Paths.get(path)).toMillis)
    catch { case _: NoSuchFileException => None }

  /** Before Java 20, `createDirectories` refuses a link to a folder. */
  override def make(folder: String): Unit = {
    val path = Paths.get(folder)
    if (!Files.isDirectory(path)) Files.createDirectories(path): Unit
  }

  /** The umask takes the group's right where it does so for every folder. */
  override def makeHidden(folder: String): Unit = {
    make(HiddenFolder.parent(folder))
    try Files.createDirectory(Paths.get(folder), LocalStore.forGroup): Unit
    catch { case _: FileAlreadyExistsException => () }
  }

  override def rename(source: String, target: String): Unit = {
    if (!exists(source)) throw new NoSuchFileException(source)
    if (exists(target)) throw new FileAlreadyExistsException(target)
    Files.move(Paths.get(source), Paths.get(target), StandardCopyOption.ATOMIC_MOVE): Unit
  }

  /** Device and inode. */
  override def identity(folder: String): String =
    try {
      val found = Files.readAttributes(Paths.get(folder), "unix:dev,ino")
      s"${found.get("dev")}:${found.get("ino")}"
    } catch {
      case _: NoSuchFileException | _: UnsupportedOperationException => ""
    }

  /** The kernel checks the rights, and an overlay checks its layers, before it refuses to replace a
    * folder that has entries. So nothing changes. Java has no code for this refusal, only a text in
    * the language of the system; the text of the same refusal of a new folder shows it.
    */
  override def reasonToStay(folder: String, full: String): Option[String] =
    refusal(folder, full).filterNot { reason =>
      val probe = s"${HiddenFolder.parent(full)}/.probe.${UUID.randomUUID}"
      make(probe)
      try refusal(probe, full).contains(reason)
      finally removeEmpty(probe)
    }

  /** Try to rename a folder into the place of a full one; returns why this is refused, or none if
    * only because the other one is full.
    */
  private def refusal(folder: String, full: String): Option[String] =
    try {
      Files.move(Paths.get(folder), Paths.get(full), StandardCopyOption.ATOMIC_MOVE): Unit
      Files.move(Paths.get(full), Paths.get(folder), StandardCopyOption.ATOMIC_MOVE): Unit
      Some("its file system replaces a folder that is not empty")
    } catch {
      case _: FileAlreadyExistsException | _: DirectoryNotEmptyException => None
      case error: FileSystemException => Option(error.getReason).orElse(Some(error.toString))
    }

  /** The kernel refuses a rename to another disk before it looks for the source, so nothing
    * changes.
    */
  override def reasonToRefuse(folder: String, work: String): Option[String] = {
    val (there, name) = (Paths.get(folder), s".${UUID.randomUUID}")
    try {
      Files.move(Paths.get(work, name), there.resolve(name), StandardCopyOption.ATOMIC_MOVE): Unit
      None
    } catch {
      case error: AtomicMoveNotSupportedException => Some(error.getReason)
      case _: NoSuchFileException =>
        Option.unless(Files.isWritable(there) && Files.isExecutable(there))("Permission denied")
      case error: FileSystemException => Option(error.getReason).orElse(Some(error.toString))
    }
  }

  /** Another job may remove or add parts of it at the same time. */
  override def delete(path: String): Unit = delete(path, LocalStore.tries)

  @tailrec
  private def delete(path: String, tries: Int): Unit = if (exists(path)) {
    val isFilled =
      try {
        Files.walkFileTree(Paths.get(path), LocalStore.Deletion): Unit
        false
      } catch {
        case _: NoSuchFileException => false
        case _: DirectoryNotEmptyException if tries > 1 => true
      }
    delete(path, if (isFilled) tries - 1 else tries)
  }

  override def deleteLast(paths: String*): Unit = {
    paths.foreach(path => Files.deleteIfExists(Paths.get(path)))
    removeEmpty(HiddenFolder.parent(paths.head))
  }

  override def removeEmpty(folder: String): Unit =
    try if (Files.isDirectory(Paths.get(folder), LinkOption.NOFOLLOW_LINKS))
        Files.delete(Paths.get(folder))
    catch { case _: NoSuchFileException | _: DirectoryNotEmptyException => () }
}

private object LocalStore {
  private val log = LoggerFactory.getLogger(classOf[LocalStore])
  private val permissions = Integer.parseInt("7777", 8)
  private val forGroup =
    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxrwxr-x"))
  private lazy val user = new UnixSystem().getUid.toString

  /** How often a task of a dead job may add a file to a folder while it is deleted. On NFS, a
    * folder stays full as long as a process has one of its deleted files open.
    */
  private val tries = 1000

  /** Deletes files, then the folder that held them. */
  private object Deletion extends SimpleFileVisitor[Path] {
    override def visitFile(file: Path, facts: BasicFileAttributes): FileVisitResult = {
      Files.delete(file)
      FileVisitResult.CONTINUE
    }

    override def postVisitDirectory(folder: Path, error: IOException): FileVisitResult = {
      Option(error).foreach(throw _)
      Files.delete(folder)
      FileVisitResult.CONTINUE
    }
  }
}
