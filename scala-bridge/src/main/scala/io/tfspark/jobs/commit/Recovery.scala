package io.tfspark.jobs.commit

import java.nio.file.NoSuchFileException

import scala.concurrent.duration._

import io.tfspark.error._
import org.slf4j.LoggerFactory

/** Finishes or removes what dead jobs left beside an output. Driver, with the lock held.
  *
  * A journal is rolled forward: its rows are shown, and a record tells its job so. Everything else
  * is removed; parts that a job in Python counted could not be kept, because only Python can tell
  * which job they belong to.
  *
  * The folder of a dead run is renamed before anything in it is used (step `take`). That one rename
  * is the fence: all that a paused owner may still do goes through the old name, and fails. Nothing
  * is deleted under a name that another run may take; it is renamed to a trash folder first.
  */
final private[jobs] class Recovery(lock: Lock) {
  private val (store, places) = (lock.store, lock.places)

  /** Recover what there is; returns the journals that were rolled forward. */
  def run(): Seq[Journal] = {
    val names = store.names(places.path).filter(_.startsWith(HiddenFolder.Work))
    val folders = names.map(name => s"${places.path}/$name")
    folders.filter(folder => store.exists(s"$folder/table")).foreach(refuseTable)
    // An owner that woke up made its own again: decisions come first.
    val sorted =
      if (folders.size > 1) folders.sortBy(folder => !store.exists(s"$folder/journal"))
      else folders
    val published = sorted.flatMap(take)
    sweep()
    published
  }

  /** Leave what a job into a table left to Python, which knows the tables of catalogs. */
  private def refuseTable(folder: String): Unit =
    throw new OutputBusyException(
      Explain(
        s"${places.output} is the folder of a table, and a job into the table did not end.",
        found = folder,
        hint = "run the job into the table again, or recover the table with Python."
      )
    )

  /** Make a folder ours, and decide about it. */
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
    val applier = new Applier(store, places, folder)
    val published = applier.journal.filter(isPublished(applier, _))
    Recovery.drop(store, folder, places.trash(lock.run))
    published
  }

  private def isPublished(applier: Applier, journal: Journal): Boolean =
    try {
      applier.apply(journal)
      applier.mark(journal)
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

  /** Remove what runs that ended or lost have left, and no record. */
  private def sweep(): Unit =
    store.names(places.path).filterNot(_.contains(lock.run)).filter(isLeft).foreach { name =>
      store.delete(s"${places.path}/$name")
    }

  private def isLeft(name: String): Boolean = {
    val path = s"${places.path}/$name"
    if (name.startsWith(HiddenFolder.Lock))
      HiddenFolder.lockGeneration(name).forall(_ < lock.generation)
    else if (name.startsWith(HiddenFolder.Fenced)) isOver(path)
    else if (name.startsWith(HiddenFolder.Beat)) lock.isSilent(path) // or of a run that waits
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

  /** A note that a run may wake up is removed after a day. */
  private val longestSleep = 1.day

  /** Rename a folder out of the reach of other runs, then delete it. */
  def drop(store: Store, folder: String, trash: String): Unit =
    if (!store.isAtomic) store.delete(folder)
    else {
      store.delete(trash)
      try {
        store.rename(folder, trash)
        store.delete(trash)
      } catch { case _: NoSuchFileException => () }
    }
}
