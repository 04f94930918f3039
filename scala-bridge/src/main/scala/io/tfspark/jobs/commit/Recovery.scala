package io.tfspark.jobs.commit

import java.nio.file.NoSuchFileException

import scala.concurrent.duration._

import io.tfspark.error._
import org.slf4j.LoggerFactory

/** Finishes or removes the work of dead jobs beside an output. Driver, with the lock held.
  *
  * If there is a journal, its files are published, and a record marks the job as done. Everything
  * else is removed. Parts of a Python job are removed too, because only Python can compute which
  * job they belong to.
  *
  * The folder of a dead run is renamed before any file in it is used (step `take`). This rename is
  * the fence: a paused owner uses the old name, so all its later operations fail. A folder is
  * renamed to a trash folder before it is deleted, so that no other run takes it.
  */
final private[jobs] class Recovery(lock: Lock, tables: Tables = NoTables) {
  private val (store, places) = (lock.store, lock.places)

  /** Recover all folders; returns the journals whose files were published. */
  def run(): Seq[Journal] = {
    val names = store.names(places.path).filter(_.startsWith(HiddenFolder.Work))
    val folders = names.map(name => s"${places.path}/$name")
    // An owner may wake up and make its folder again; decisions come first.
    val sorted =
      if (folders.size > 1) folders.sortBy(folder => !store.exists(s"$folder/journal"))
      else folders
    val published = sorted.flatMap(take)
    sweep()
    published
  }

  /** Rename a folder to that of this run; then publish or remove its content. */
  private def take(folder: String): Option[Journal] =
    if (!store.isAtomic) inspect(folder)
    else {
      val ours = places.work(lock.run)
      try {
        store.rename(folder, ours)
        inspect(ours)
      } catch { case _: NoSuchFileException => None } // its owner woke up and removed it
    }

  private def inspect(folder: String): Option[Journal] = {
    val applier = new Applier(store, places, folder, tables)
    val decided = applier.journal
    val published = decided.filter(isPublished(applier, _))
    if (decided.isEmpty) store.read(s"$folder/job").foreach(digest => forget(JobKey(digest)))
    Recovery.drop(store, folder, places.trash(lock.run), tables)
    published
  }

  private def isPublished(applier: Applier, journal: Journal): Boolean =
    try {
      applier.apply(journal)
      applier.mark(journal)
      if (journal.owner.hasEnded) forget(journal.job) // a paused owner reads it when it wakes up
      Recovery.log.warn(
        s"run ${journal.run} ended before it had reported: its ${journal.add.size} files are now " +
          s"published in ${places.output}"
      )
      true
    } catch {
      case error: OutputExistsException =>
        Recovery.log.warn(
          s"run ${journal.run} decided to publish its rows, but they cannot be published: " +
            error.getMessage
        )
        false
    }

  /** Delete the record of a job that no later run can repeat. */
  private def forget(job: JobKey): Unit = if (job.isOfOneRun) store.delete(places.done(job.name))

  /** Remove the files of runs that ended or lost the lock; keep records. */
  private def sweep(): Unit =
    store.names(places.path).filterNot(_.contains(lock.run)).filter(isLeft).foreach { name =>
      store.delete(s"${places.path}/$name")
    }

  private def isLeft(name: String): Boolean = {
    val path = s"${places.path}/$name"
    if (name.startsWith(HiddenFolder.Lock))
      HiddenFolder.lockGeneration(name).forall(_ < lock.generation)
    else if (name.startsWith(HiddenFolder.Fenced)) isOver(path)
    else if (name.startsWith(HiddenFolder.Beat)) lock.isSilent(path) // a live run may wait
    else name.startsWith(HiddenFolder.Trash) || name.startsWith(".")
  }

  private def isOver(fenced: String): Boolean =
    (store.modified(fenced), store.modified(places.beat(lock.run))) match {
      case (Some(since), Some(now)) => now - since > Recovery.longestSleep.toMillis
      case _ => false
    }
}

private[jobs] object Recovery {
  private val log = LoggerFactory.getLogger(classOf[Recovery])

  /** No run is paused longer than a day, so its `fenced-` file is removed after a day. */
  private val longestSleep = 1.day

  /** Rename the folder of a run to a trash folder, then delete it.
    *
    * If the folder holds the files of a table, the table is dropped first.
    */
  def drop(store: Store, folder: String, trash: String, tables: Tables): Unit = {
    store.read(s"$folder/${HiddenFolder.Table}").foreach(tables.drop)
    remove(store, folder, trash)
  }

  private def remove(store: Store, folder: String, trash: String): Unit =
    if (!store.isAtomic) store.delete(folder)
    else {
      store.delete(trash)
      try {
        store.rename(folder, trash)
        store.delete(trash)
      } catch { case _: NoSuchFileException => () }
    }
}
