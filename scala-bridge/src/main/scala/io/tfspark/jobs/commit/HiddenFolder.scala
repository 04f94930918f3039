package io.tfspark.jobs.commit

import java.nio.charset.StandardCharsets.UTF_8
import java.security.MessageDigest
import java.util.HexFormat

/** The file names in the hidden folder beside an output, which holds the commit. Driver.
  *
  * `tfspark/scoring/output/README.md` describes every file; Python uses the same ones.
  *
  * @param output the folder of the published files, in the form that its store takes
  */
final private[jobs] case class HiddenFolder(output: String) {
  import HiddenFolder._

  /** The folder itself. */
  val path: String = s"${parent(output)}/.${output.split('/').last}.tfspark"

  /** The lock of a generation. */
  def lock(generation: Int): String = s"$path/$Lock$generation"

  /** The heartbeat of a run. */
  def beat(run: String): String = s"$path/$Beat$run"

  /** The mark of a run that lost its lock and may wake up. */
  def fenced(generation: Int, run: String): String = s"$path/$Fenced$generation-$run"

  /** The folder of a run. Every file that it publishes passes through this folder. */
  def work(run: String): String = s"$path/$Work$run"

  /** The folder that a run will delete. */
  def trash(run: String): String = s"$path/$Trash$run"

  /** The record that a job is done; `key` is the name of a `JobKey`. */
  def done(key: String): String = {
    val digest = MessageDigest.getInstance("SHA-256").digest(key.getBytes(UTF_8))
    s"$path/$Done${HexFormat.of().formatHex(digest).take(32)}"
  }
}

private[jobs] object HiddenFolder {
  val Lock = "lock-"
  val Beat = "beat-"
  val Fenced = "fenced-"
  val Work = "work-"
  val Trash = "trash-"
  val Done = "done-"

  /** In the folder of a run: the name of the table whose files Spark writes there. */
  val Table = "table"

  /** The empty file by which Spark marks a folder as whole. */
  val Success = "_SUCCESS"

  /** The generation in the name of a lock. */
  def lockGeneration(name: String): Option[Int] =
    Option.when(name.startsWith(Lock))(name.drop(Lock.length)).flatMap(_.toIntOption)

  /** The generation in the name of a lock or of a fence. */
  def generation(name: String): Option[Int] =
    lockGeneration(name).orElse(
      Option.when(name.startsWith(Fenced))(name.drop(Fenced.length).takeWhile(_ != '-'))
        .flatMap(_.toIntOption)
    )

  /** The folder of a path. */
  def parent(path: String): String = path.take(path.lastIndexOf('/'))
}
