package io.tfspark.jobs.commit

import java.io.IOException
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}

import scala.util.matching.Regex

/** Finds the type of the file system behind a local path. Driver.
  *
  * FUSE file systems are programs of users. Many of them, such as s3fs, goofys and gcsfuse, show an
  * object store as a folder; they copy files instead of renaming them.
  */
private[jobs] object Mounts {

  /** The list of mounts that Linux keeps for each process. */
  private val ofThisProcess = Paths.get("/proc/self/mountinfo")

  /** File systems of real disks, such as NTFS. */
  private val disks = Set("fuseblk")

  private val escaped = """\\([0-7]{3})""".r

  /** The type of the file system at a path, such as `ext4`; empty if it is not known.
    *
    * @param path a local path without links; it need not exist
    */
  def typeAt(path: String, list: Path = ofThisProcess): String =
    lines(list).map(mount).filter { case (point, _) => s"$path/".startsWith(s"$point/") }
      // The last of several mounts on one folder hides the others.
      .foldLeft(("", ""))((found, next) => if (next._1.length < found._1.length) found else next)
      ._2

  /** Whether a type of file system is FUSE and no disk. */
  def isFuse(kind: String): Boolean = kind.startsWith("fuse") && !disks(kind)

  /** Whether a file or folder is mounted at a path without links. */
  def isPoint(path: String, list: Path = ofThisProcess): Boolean =
    lines(list).map(mount).exists { case (point, _) => point == path }

  private def lines(list: Path): Seq[String] =
    try new String(Files.readAllBytes(list), UTF_8).linesIterator.toSeq
    catch { case _: IOException => Nil } // another system than Linux

  /** The mount point and the type in a line; optional fields end with a hyphen. */
  private def mount(line: String): (String, String) = {
    val (fields, about) = line.splitAt(line.indexOf(" - "))
    val point = escaped.replaceAllIn(fields.split(' ')(4), unescaped _)
    (point.stripSuffix("/"), about.stripPrefix(" - ").takeWhile(_ != ' '))
  }

  private def unescaped(code: Regex.Match): String = {
    val octal = 8
    Regex.quoteReplacement(Integer.parseInt(code.group(1), octal).toChar.toString)
  }
}
