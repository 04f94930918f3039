package io.tfspark.jobs.commit

import java.nio.file.NoSuchFileException

import scala.util.control.NonFatal

import com.fasterxml.jackson.databind.node.ObjectNode
import io.tfspark.error._
import org.slf4j.LoggerFactory

/** The commit of one run to one output: lock, recover, stage, decide, apply, acknowledge. Driver.
  *
  * A run that is killed before any operation leaves a state from which the same command, run again,
  * gives exactly the rows of one clean run. `tests/faults/commit_model.py` has the same order of
  * operations; a test checks all its interleavings of two jobs. Python has the same commit: each
  * language recovers the folders of the other.
  *
  * Only files that the journal names are published. The last operation of a run deletes the record
  * that the job is done (`acknowledge`); before that, the same command finds the record and does
  * not run the job again.
  */
final private[jobs] class Commit(val lock: Lock, tables: Tables = NoTables) {
  private val (store, places) = (lock.store, lock.places)

  /** The folder of the run; its subfolders `spark` and `new` hold files. */
  val work: String = places.work(lock.run)
  private val (draft, decision) = (s"$work/draft", s"$work/journal")
  private val applier = new Applier(store, places, work, tables)

  private var job = JobKey("")

  /** The names of the jobs whose files `begin` published. */
  private var recovered = Set.empty[String]

  /** Get the lock, and finish or remove the work of dead jobs.
    *
    * @return the record of this job if it is done; only `acknowledge` is then left to call
    */
  def begin(job: JobKey): Option[Journal] = {
    this.job = job
    lock.acquire()
    recovered = new Recovery(lock, tables).run().map(_.job.name).toSet
    if (job.runId.nonEmpty) record else record.filter(isThere) // a run id is never run again
  }

  /** Whether files of a record exist; if not, as after an overwrite, the record is deleted. */
  private def isThere(done: Journal): Boolean = {
    refuseWhileAlive(done)
    val names = done.add.filter(_ != HiddenFolder.Success)
    val paths = if (names.isEmpty) Seq(places.output) else names.map(n => s"${places.output}/$n")
    val found = paths.exists(store.exists)
    if (!found) {
      Commit.log.warn(
        s"run ${done.run} wrote files to ${places.output} that do not exist now: the job is run again"
      )
      forget()
    }
    found
  }

  /** The record that this job is done. */
  def record: Option[Journal] = ForeignRecord.read(store, places.done(job.name))(Journal.of)

  /** The records of all jobs that are done. */
  def records: Seq[Journal] =
    store.names(places.path).filter(_.startsWith(HiddenFolder.Done)).flatMap(name =>
      ForeignRecord.read(store, s"${places.path}/$name")(Journal.of)
    )

  /** Whether an earlier run of a job has published its files; called after `begin`. */
  def hasPublished(job: JobKey): Boolean =
    store.exists(places.done(job.name)) || recovered(job.name)

  /** Delete the record of rows that were withdrawn; by default, of this job. */
  def forget(job: JobKey = job): Unit = store.delete(places.done(job.name))

  /** Whether the rows of this job are published, or the next start will publish them. */
  def isDecided: Boolean = store.exists(decision) || record.isDefined

  /** Refuse to continue while the run that published this job has not reported yet. */
  private def refuseWhileAlive(done: Journal): Unit =
    if (done.run != lock.run && lock.isAliveAfterWait(Holder(done.run, done.owner))) {
      abandon()
      throw new OutputBusyException(
        Explain(
          s"Another run of the same job has just written to ${places.output}.",
          found = s"run ${done.run}, ${done.owner}",
          hint = "run the command again."
        )
      )
    }

  /** Make the folder of the run. */
  def openWork(): Unit = {
    store.make(work)
    store.delete(s"$work/job")
    store.create(s"$work/job", job.digest)
  }

  /** Note the table whose files Spark will write, so that a recovery drops it. */
  def noteTable(name: String): Unit =
    try store.create(s"$work/${HiddenFolder.Table}", name)
    catch { case error: NoSuchFileException => throw lost("its folder is gone", Some(error)) }

  /** Step `count`: move the counted files into `new`; only these are published.
    *
    * @param folder their folder, in the folder of the run
    * @param names names relative to `folder`
    */
  def count(folder: String, names: Seq[String]): Unit =
    try {
      val folders = names.map(name => HiddenFolder.parent(s"$work/new/$name"))
      (s"$work/new" +: folders).distinct.foreach(store.make)
      names.foreach(name => store.rename(s"$work/$folder/$name", s"$work/new/$name"))
    } catch {
      case error: NoSuchFileException =>
        throw lost(s"${error.getFile} is missing", Some(error))
    }

  /** Decide, then publish the files in `new`; for a table, update the catalog too.
    *
    * If another run took over and has published the rows of this run, this returns normally.
    */
  def publish(
      mode: String,
      add: Seq[String],
      report: ObjectNode,
      table: Option[TableRecord] = None
  ): Unit = {
    val journal = decide(journalOf(mode, add, report, table))
    try {
      applier.apply(journal)
      applier.mark(journal)
    } catch {
      case error: OutputExistsException =>
        if (mode == "error") store.delete(decision) // no later run may publish it
        throw error
      case error: LockLostException =>
        if (record.isEmpty) throw error
        Commit.log.warn("another run took over and published the rows of this run")
    }
  }

  private def journalOf(
      mode: String,
      add: Seq[String],
      report: ObjectNode,
      table: Option[TableRecord]
  ): Journal = {
    val retire =
      if (mode == "overwrite" && !store.isAtomic) others(add) else Nil
    val folder = if (mode == "overwrite") store.identity(s"$work/new") else ""
    Journal(mode, lock.run, job, lock.owner, add, retire, folder, report, table)
  }

  /** Steps `draft`, `check`, `decide`. */
  private def decide(journal: Journal): Journal = {
    try {
      store.delete(draft)
      store.create(draft, journal.toJson)
      if (!lock.holds) throw lost("its lock was taken over")
      store.rename(draft, decision)
    } catch {
      case error: NoSuchFileException => throw lost("its folder is gone", Some(error))
    }
    journal
  }

  /** Names in the output that are not added, without the folders of added files.
    *
    * These names are deleted before files are added, and both are repeated after a kill.
    */
  private def others(add: Seq[String]): Seq[String] = {
    val folders = "" +: add.flatMap(name =>
      Iterator.iterate(parent(name))(parent).takeWhile(_.nonEmpty)
    ).distinct.sorted
    val names = folders.flatMap { folder =>
      store.names(s"${places.output}/$folder".stripSuffix("/")).map(name =>
        s"$folder/$name".stripPrefix("/")
      )
    }
    names.diff(add ++ folders)
  }

  private def parent(name: String): String =
    if (name.contains('/')) HiddenFolder.parent(name) else ""

  /** End the run after it has reported. From now on, the same command is a new job. */
  def acknowledge(): Unit = {
    try {
      if (job.isOfOneRun) forget() // before the folder, which names the record to a recovery
      dropWork()
    } catch {
      case NonFatal(error) =>
        lock.release() // the process may live on
        throw error
    }
    lock.release(Option.when(job.runId.isEmpty)(places.done(job.name)).toSeq: _*)
  }

  /** End a run that publishes nothing more; remove its staged files, but keep a decision. */
  def abandon(): Unit = {
    try dropWork()
    finally lock.release()
  }

  /** Remove the folder of the run, unless it holds a decision that was not applied. */
  private def dropWork(): Unit =
    if (!store.exists(decision)) Recovery.drop(store, work, places.trash(lock.run), tables)

  private def lost(found: String, cause: Option[Throwable] = None): LockLostException =
    new LockLostException(
      Explain(
        s"This run lost the lock of ${places.output} while it was paused; it published " +
          "nothing.",
        found = found,
        hint = "run the same command again."
      ),
      cause
    )
}

private object Commit {
  private val log = LoggerFactory.getLogger(classOf[Commit])
}
