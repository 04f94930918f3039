package io.tfspark.jobs.commit

/** The file system operations of the commit. Driver.
  *
  * A path is a string with `/` between names. A rename never replaces its target and never moves
  * ''into'' an existing folder; Hadoop's plain `rename` does. Times come from the clock of the file
  * system, not of the driver.
  *
  * A missing source, or a missing folder of the target, throws `java.nio.file.NoSuchFileException`.
  * An existing target throws `java.nio.file.FileAlreadyExistsException`. If both are true,
  * `NoSuchFileException` is thrown. Only `make` and `makeHidden` make folders.
  */
private[jobs] trait Store {

  /** Whether creations and renames are atomic; object stores copy files instead. */
  def isAtomic: Boolean

  /** The user who owns what this process creates in a folder. */
  def userIn(folder: String): String

  /** Who can change a folder; none if it is missing, or on an object store. */
  def access(path: String): Option[Access]

  /** The sorted names in a folder; empty when it does not exist. */
  def names(folder: String): Seq[String]

  /** Whether there is a file or folder. */
  def exists(path: String): Boolean

  /** The text of a file; none when it does not exist. */
  def read(path: String): Option[String]

  /** Create a file with its text, if it does not exist; its folder must exist. */
  def create(path: String, text: String): Unit

  /** Set the time of a file to now, by the clock of the file system. */
  def touch(path: String): Unit

  /** The modification time in milliseconds; none when the file does not exist. */
  def modified(path: String): Option[Long]

  /** Make a folder and its parents. */
  def make(folder: String): Unit

  /** Make a folder that other users cannot write, except the group; and its parents. */
  def makeHidden(folder: String): Unit

  /** Rename a file or folder to a name that does not exist. */
  def rename(source: String, target: String): Unit

  /** An identity that a rename does not change; empty if folders have none. */
  def identity(folder: String): String

  /** The reason why a folder cannot be renamed; none if it can, or if only the rename itself shows
    * it.
    *
    * @param full a folder with entries, which the folder must not replace
    */
  def reasonToStay(folder: String, full: String): Option[String]

  /** The reason why nothing of a folder can be renamed into another one; none if it can. No reader
    * sees a change.
    *
    * @param work the folder that the files come from
    */
  def reasonToRefuse(folder: String, work: String): Option[String]

  /** Delete a file, or a folder with its content; do nothing when it does not exist. */
  def delete(path: String): Unit

  /** Delete files of one folder directly one after the other, then the empty folder. */
  def deleteLast(paths: String*): Unit

  /** Remove a folder if it is empty; do nothing when it is not or does not exist. */
  def removeEmpty(folder: String): Unit
}
