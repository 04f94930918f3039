package io.tfspark.jobs.commit

import java.nio.file.{FileAlreadyExistsException, NoSuchFileException}

import scala.annotation.tailrec

import io.tfspark.error._

/** Applies a journal: publishes its files, in steps that any run can repeat. Driver.
  *
  * Each step is one operation, with its source or target in the folder of the run that applies the
  * journal. When another run takes that folder, all later steps fail with `NoSuchFileException`.
  * Published files are never published again or removed. Steps have the names of
  * `tests/faults/commit_model.py`. There is no step `exchange`: Java cannot exchange two folders.
  *
  * @param work the folder of the run that applies the journal
  * @param tables the catalog of tables
  */
final private[jobs] class Applier(
    store: Store,
    places: HiddenFolder,
    work: String,
    tables: Tables
) {
  private val decision = s"$work/journal"
  private val fresh = s"$work/new"

  /** The journal in the folder. */
  def journal: Option[Journal] = ForeignRecord.read(store, decision)(Journal.of)

  /** Publish the files of a journal, and update the catalog to those of a table; continue where
    * another run stopped.
    */
  def apply(journal: Journal): Unit = {
    showFiles(journal)
    journal.table.foreach { table =>
      if (!store.exists(decision)) throw lost("its folder is gone")
      tables.show(table, journal.mode)
    }
  }

  private def showFiles(journal: Journal): Unit =
    if (store.isAtomic) showFiles(journal, Applier.patience)
    else {
      journal.retire.foreach(name => store.delete(s"${places.output}/$name"))
      addAll(journal)
    }

  @tailrec
  private def showFiles(journal: Journal, patience: Int): Unit = compare(journal) match {
    case None => ()
    case Some(_) if patience == 0 => throw lost("the file system gives contradictory answers")
    case Some(step) =>
      try step()
      catch { case _: NoSuchFileException | _: FileAlreadyExistsException => () }
      showFiles(journal, patience - 1) // `compare` finds the reason of a failed step
  }

  /** Rename the journal to the record that its job is done. */
  def mark(journal: Journal): Unit = {
    val done = places.done(journal.job.name)
    try
      try store.rename(decision, done)
      catch {
        case _: FileAlreadyExistsException => // an earlier run left it
          store.delete(done)
          store.rename(decision, done)
      }
    catch { case _: NoSuchFileException => throw lost("its folder is gone") }
  }

  /** Compare the files with the journal; returns the next step, none after the last. */
  private def compare(journal: Journal): Option[() => Unit] = {
    val output = places.output
    if (!store.exists(decision)) throw lost("its folder is gone")
    if (!store.exists(fresh) || isReplaced(journal)) None
    else if (!store.exists(output)) Some(() => show())
    else if (journal.mode == "append") {
      addAll(journal)
      None
    } else if (journal.mode == "error")
      throw new OutputExistsException(inTheWay(output))
    else Some(() => retire())
  }

  /** Whether Python exchanged the folders, so that `new` contains the replaced rows. They must
    * never be published again, even if another program has since removed the output. Without rows
    * and with partitions, only `_SUCCESS` is new, and the old output may have it too. Then the
    * inode of the folder shows it.
    */
  private def isReplaced(journal: Journal): Boolean =
    journal.mode == "overwrite" && (
      (journal.folder.nonEmpty && store.identity(places.output) == journal.folder) ||
        journal.add.find(_ != HiddenFolder.Success).fold(isOldFolder(journal))(name =>
          !store.exists(s"$fresh/$name")
        )
    )

  private def isOldFolder(journal: Journal): Boolean =
    journal.folder.nonEmpty && inode(store.identity(fresh)) != inode(journal.folder)

  /** The part of an identity that stays after a reboot. */
  private def inode(identity: String): String = identity.drop(identity.lastIndexOf(':') + 1)

  private def show(): Unit = store.rename(fresh, places.output)

  /** Move the old output away; then no output exists until `show`. */
  private def retire(): Unit = {
    val taken = store.names(work).toSet
    val free = Iterator.from(0).map(number => s"old-$number").find(!taken(_)).mkString
    store.rename(places.output, s"$work/$free")
  }

  private def addAll(journal: Journal): Unit = {
    journal.add.map(name => HiddenFolder.parent(s"${places.output}/$name")).distinct.foreach(
      store.make
    )
    journal.add.foreach(add)
  }

  /** Move one file. If it is missing, it was moved before. */
  private def add(name: String): Unit = {
    val (source, target) = (s"$fresh/$name", s"${places.output}/$name")
    try store.rename(source, target)
    catch {
      case error: NoSuchFileException =>
        if (!store.exists(decision)) throw lost("its folder is gone")
        if (store.exists(source)) throw error
      case _: FileAlreadyExistsException if name == HiddenFolder.Success =>
        store.delete(source) // an empty file; another program created it too
      case _: FileAlreadyExistsException if store.isAtomic =>
        throw new OutputBusyException(inTheWay(target)) // the journal stays
      case _: FileAlreadyExistsException =>
        store.delete(target) // an interrupted copy
        store.rename(source, target)
    }
  }

  private def lost(found: String): LockLostException =
    new LockLostException(
      Explain(
        s"This run lost the lock of ${places.output} while it was paused.",
        found = found,
        hint = "run the same command again; it detects whether the rows are published."
      )
    )

  private def inTheWay(path: String): String = {
    val problem = s"$path was created by another program while the job held the lock."
    val hint = "move it away, and run the same command again."
    Explain(problem, expected = "nothing there", hint = hint)
  }
}

private object Applier {

  /** Limit for steps without an effect; only contradictory answers of a file system reach it. */
  private val patience = 5
}
