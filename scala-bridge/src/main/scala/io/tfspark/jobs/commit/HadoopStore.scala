package io.tfspark.jobs.commit

import java.io.FileNotFoundException
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{FileAlreadyExistsException, NoSuchFileException}
import java.util.UUID

import scala.util.Using
import scala.util.control.NonFatal

import org.apache.commons.io.IOUtils
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs
import org.apache.hadoop.fs.{FileContext, FileSystem, Path, PathIsNotEmptyDirectoryException}
import org.apache.hadoop.fs.Options.Rename
import org.apache.hadoop.fs.permission.FsPermission
import org.apache.hadoop.security.UserGroupInformation

/** A Hadoop file system. Driver.
  *
  * If the target folder exists, `FileSystem.rename` moves the source ''into'' it and reports
  * success. So a rename uses `FileContext`, which refuses an existing target. On HDFS the check and
  * the rename are one operation. Object stores copy files instead.
  */
final private[jobs] class HadoopStore(
    files: FileSystem,
    configuration: Configuration,
    override val isAtomic: Boolean
) extends Store {

  /** The same file system with a rename that never replaces; many object stores have none. */
  private lazy val strict: FileContext = FileContext.getFileContext(files.getUri, configuration)

  /** The name of the user. */
  override def userIn(folder: String): String = UserGroupInformation.getCurrentUser.getShortUserName

  /** Object stores invent owners and permissions. */
  override def access(path: String): Option[Access] =
    if (!isAtomic) None
    else
      try {
        val status = files.getFileStatus(new Path(path))
        Some(Access(status.getOwner, status.getPermission.toShort.toInt))
      } catch { case _: FileNotFoundException => None }

  override def names(folder: String): Seq[String] =
    try files.listStatus(new Path(folder)).toSeq.map(_.getPath.getName).sorted
    catch { case _: FileNotFoundException => Nil }

  override def exists(path: String): Boolean = files.exists(new Path(path))

  override def read(path: String): Option[String] =
    try Some(Using.resource(files.open(new Path(path)))(IOUtils.toString(_, UTF_8)))
    catch { case _: FileNotFoundException => None }

  /** Writes to a temporary name first, because an open file is visible; then renames the file. */
  override def create(path: String, text: String): Unit =
    if (!isAtomic) {
      if (exists(path)) throw new FileAlreadyExistsException(path)
      write(path, text)
    } else {
      val complete = besides(path)
      write(complete, text)
      try rename(complete, path)
      catch {
        case error: FileAlreadyExistsException =>
          delete(complete)
          throw error
      }
    }

  /** Rewrites the file; setting its time would use the driver's clock. */
  override def touch(path: String): Unit = {
    val text = read(path).getOrElse(throw new NoSuchFileException(path))
    if (!isAtomic) write(path, text)
    else {
      val complete = besides(path)
      write(complete, text)
      HadoopStore.translated(
        strict.rename(new Path(complete), new Path(path), Rename.OVERWRITE)
      )
    }
  }

  override def modified(path: String): Option[Long] =
    try Some(files.getFileStatus(new Path(path)).getModificationTime)
    catch { case _: FileNotFoundException => None }

  override def make(folder: String): Unit = files.mkdirs(new Path(folder)): Unit

  override def makeHidden(folder: String): Unit =
    files.mkdirs(new Path(folder), new FsPermission("775")): Unit

  override def rename(source: String, target: String): Unit =
    if (isAtomic) HadoopStore.translated(strict.rename(new Path(source), new Path(target)))
    else {
      if (!exists(source)) throw new NoSuchFileException(source)
      if (exists(target)) throw new FileAlreadyExistsException(target)
      if (!HadoopStore.translated(files.rename(new Path(source), new Path(target))))
        throw new NoSuchFileException(target)
    }

  /** Hadoop has no identity of folders. */
  override def identity(folder: String): String = ""

  /** HDFS checks the rights before it looks for the full folder. */
  override def reasonToStay(folder: String, full: String): Option[String] =
    try {
      rename(folder, full)
      rename(full, folder)
      Some("its file system replaces a folder that is not empty")
    } catch {
      case _: FileAlreadyExistsException => None
      case NonFatal(error) => Some(error.toString)
    }

  /** Moves an empty hidden folder there, then deletes it. If the job is killed between the two, the
    * hidden folder stays.
    */
  override def reasonToRefuse(folder: String, work: String): Option[String] = {
    val (mine, there) = (s"$work/${HadoopStore.probe}", s"$folder/${HadoopStore.probe}")
    try {
      make(mine)
      delete(there) // of a killed job
      rename(mine, there)
      delete(there)
      None
    } catch { case NonFatal(error) => Some(error.toString) }
  }

  override def delete(path: String): Unit = files.delete(new Path(path), true): Unit

  override def deleteLast(paths: String*): Unit = {
    paths.foreach(delete)
    removeEmpty(HiddenFolder.parent(paths.head))
  }

  override def removeEmpty(folder: String): Unit =
    if (exists(folder) && names(folder).isEmpty)
      try files.delete(new Path(folder), false): Unit
      catch { case _: PathIsNotEmptyDirectoryException => () }

  private def besides(path: String): String = {
    val (folder, name) = (HiddenFolder.parent(path), new Path(path).getName)
    s"$folder/.$name.${UUID.randomUUID}"
  }

  /** Write a file into an existing folder. */
  private def write(path: String, text: String): Unit = {
    val place = new Path(path)
    val (copies, block) = (files.getDefaultReplication(place), files.getDefaultBlockSize(place))
    val buffer = 4096
    val stream = HadoopStore.translated(
      files.createNonRecursive(place, true, buffer, copies, block, null)
    )
    Using.resource(stream)(_.write(text.getBytes(UTF_8)))
  }
}

private object HadoopStore {

  /** A folder that is renamed for a test; Spark's readers ignore the name. */
  private val probe = ".tfspark-probe"

  /** Run a call; convert errors about missing and existing paths to those of `Store`. */
  def translated[A](call: => A): A =
    try call
    catch {
      case error: FileNotFoundException => throw caused(new NoSuchFileException(_), error)
      case error @ (_: fs.FileAlreadyExistsException | _: PathIsNotEmptyDirectoryException) =>
        throw caused(new FileAlreadyExistsException(_), error)
    }

  private def caused(make: String => Exception, error: Throwable): Exception = {
    val translation = make(String.valueOf(error.getMessage))
    translation.initCause(error)
    translation
  }
}
