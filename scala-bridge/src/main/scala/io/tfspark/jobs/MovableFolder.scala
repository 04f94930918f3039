package io.tfspark.jobs

import scala.annotation.tailrec

import io.tfspark.error._
import io.tfspark.jobs.commit.{HiddenFolder, Mounts, Store, Stores}
import org.apache.hadoop.fs.Path
import org.slf4j.LoggerFactory

/** Whether the files of a commit can be moved into an output, and its folder be renamed. Driver.
  *
  * @param path qualified path of the output
  * @param root the same path in the form that the store takes
  */
final private[jobs] class MovableFolder(store: Store, path: Path, root: String) {
  private lazy val mount = if (Stores.isLocal(path)) Mounts.typeAt(root) else ""

  /** Refuse a mount point: no file can be renamed into it from the hidden folder beside it. */
  def refuseMount(): Unit =
    if (Stores.isMount(path))
      throw new UsageException(
        Explain(
          s"A disk or volume is mounted at $root, so no file can be moved into it.",
          expected = "a folder on the same disk as the folder above it",
          hint = s"write to a folder in it, such as $root/scores."
        )
      )

  /** Refuse to overwrite a folder that cannot be renamed, such as one in a lower layer of an
    * overlay, or of another user in a folder with a sticky bit.
    *
    * @param work the folder of the run
    */
  def refuseFixed(work: String): Unit =
    if (canAsk) store.reasonToStay(root, full(work)).foreach { reason =>
      throw new UsageException(
        Explain(
          s"The folder $root cannot be replaced, because it cannot be renamed.",
          expected = "a folder that this user can rename",
          found = reason,
          hint = "delete the folder yourself and run the job again, or write to another place."
        )
      )
    }

  /** Refuse folders of an existing output that cannot get their files; called before the decision,
    * because after it no job could go on until a person has changed the folder.
    *
    * @param work the folder of the run
    * @param names the new files, relative to the output
    */
  def refuseClosed(work: String, names: Seq[String]): Unit = if (canAsk) {
    val wanted = names.map(name => HiddenFolder.parent(s"$root/$name")).distinct
    val folders = wanted.map(existing).distinct.sorted
    folders.foreach { folder =>
      store.reasonToRefuse(folder, work).foreach { reason =>
        throw new UsageException(
          Explain(
            s"The new files cannot be moved to $folder; nothing is published.",
            expected = "a folder that this user can change, on the disk of the output",
            found = reason,
            hint = "change the folder and run the job again, or write to another place."
          )
        )
      }
    }
  }

  /** Make a folder with an entry in the folder of the run. The output is renamed to it for a test,
    * which a file system refuses. If another run takes the folder of the run, this path is gone
    * too, so that nothing can be renamed to it.
    */
  private def full(work: String): String = {
    store.make(s"$work/probe/full")
    s"$work/probe"
  }

  /** Whether renames for a test change nothing. */
  private def canAsk: Boolean = store.isAtomic && !Mounts.isFuse(mount)

  /** The first folder above that exists, or the folder itself. */
  @tailrec
  private def existing(folder: String): String =
    if (folder == root || store.exists(folder)) folder else existing(HiddenFolder.parent(folder))

  /** Log a warning if nothing prevents a second job at the same time. */
  def warnWithoutGuarantee(target: Dataset): Unit =
    if (!store.isAtomic)
      MovableFolder.log.warn(
        s"$target is on a file system that copies instead of renaming: a dead job is recovered, " +
          "but a second job is not prevented from writing at the same time"
      )
    else if (Mounts.isFuse(mount))
      MovableFolder.log.warn(
        s"$target is on a mount of type $mount: many such mounts copy instead of renaming, and " +
          "let two jobs create the same file, so rows may be lost or duplicated if a second job " +
          "runs at the same time, or if this job is killed while it publishes files"
      )
}

private object MovableFolder {
  private val log = LoggerFactory.getLogger(classOf[MovableFolder])
}
