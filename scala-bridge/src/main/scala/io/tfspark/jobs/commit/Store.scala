package io.tfspark.jobs.commit

/** The few operations of a file system that the commit consists of. Driver.
  *
  * A path is a string that the store understands, with names joined by `/`. A rename never replaces
  * and never moves ''into'' a folder, as Hadoop's plain `rename` does. Times are those of the file
  * system, not of the driver.
  *
  * The commit relies on two exceptions: a missing source, or a missing folder of a target, is a
  * `java.nio.file.NoSuchFileException`; a target that is there is a
  * `java.nio.file.FileAlreadyExistsException`. If both are true, the source counts. Only `make`
  * makes folders.
  */
private[jobs] trait Store {

  /** Whether creations and renames are atomic; object stores copy instead. */
  def isAtomic: Boolean

  /** The sorted names in a folder; none when it is not there. */
  def names(folder: String): Seq[String]

  /** Whether there is a file or folder. */
  def exists(path: String): Boolean

  /** The text of a file; none when it is not there. */
  def read(path: String): Option[String]

  /** Create a complete file when it is absent; its folder has to be there. */
  def create(path: String, text: String): Unit

  /** Set the time of a file to now, by the clock of the file system. */
  def touch(path: String): Unit

  /** The time of a file in milliseconds; none when it is not there. */
  def modified(path: String): Option[Long]

  /** Make a folder and those above it. */
  def make(folder: String): Unit

  /** Rename a file or folder to a name that is free. */
  def rename(source: String, target: String): Unit

  /** What a folder keeps when it is renamed; empty where the file system has no such thing. */
  def identity(folder: String): String

  /** Delete a file or folder with all that is in it; fine when it is not there. */
  def delete(path: String): Unit

  /** Delete files of one folder, and the folder when it is empty, as nearly one operation. */
  def deleteLast(paths: String*): Unit

  /** Remove a folder that is empty; fine when it is not, or not there. */
  def removeEmpty(folder: String): Unit
}
