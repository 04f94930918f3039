package io.tfspark.jobs.commit

import java.nio.file.NoSuchFileException

import com.fasterxml.jackson.databind.node.ObjectNode
import io.tfspark.error._
import org.slf4j.LoggerFactory

/** The commit of one run to one output: lock, recover, stage, decide, apply, acknowledge. Driver.
  *
  * A run that is killed before any operation leaves a state from which the same command, run again,
  * gives exactly the rows of one clean run. The order of the operations is that of
  * `tests/faults/commit_model.py`, of which every interleaving of two jobs is checked. Python has
  * the same commit: each language finishes what the other left.
  *
  * Nothing is shown that the journal does not name. The last operation of a run deletes the record
  * that it is done (`acknowledge`); until then the same job is found done and not run again.
  */
final private[jobs] class Commit(val lock: Lock) {
  private val (store, places) = (lock.store, lock.places)

  /** The folder of the run; `spark` and `new` in it hold files. */
  val work: String = places.work(lock.run)
  private val (draft, decision) = (s"$work/draft", s"$work/journal")
  private val applier = new Applier(store, places, work)

  private var job = JobKey("")

  /** Get the lock, and finish or remove what dead jobs left.
    *
    * @return the record of this very job when it is done: then `acknowledge` is all that is left
    */
  def begin(job: JobKey): Option[Journal] = {
    this.job = job
    lock.acquire()
    new Recovery(lock).run(): Unit
    val done = record
    if (job.runId.isEmpty) done.foreach(refuseWhileAlive)
    done
  }

  /** The record that this job is done. */
  private def record: Option[Journal] = store.read(places.done(job.name)).map(Journal.of)

  /** Refuse to go on while the run that finished this job still has to report it. */
  private def refuseWhileAlive(done: Journal): Unit =
    if (done.run != lock.run && lock.isAlive(Holder(done.run, done.owner))) {
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

  /** Step `count`: move files that tasks wrote into `new`; these are published, and no others.
    *
    * @param folder where they are, in the folder of the run
    * @param names relative to it
    */
  def count(folder: String, names: Seq[String]): Unit =
    try {
      val folders = names.map(name => HiddenFolder.parent(s"$work/new/$name"))
      (s"$work/new" +: folders).distinct.foreach(store.make)
      names.foreach(name => store.rename(s"$work/$folder/$name", s"$work/new/$name"))
    } catch {
      case error: NoSuchFileException =>
        throw lost(s"${error.getFile} is not there any more", Some(error))
    }

  /** Decide, and show the files in `new`.
    *
    * When another run took over and has published the rows of this one, this returns as usual.
    */
  def publish(mode: String, add: Seq[String], report: ObjectNode): Unit = {
    val journal = decide(mode, add, report)
    try {
      applier.apply(journal)
      applier.mark(journal)
    } catch {
      case error: OutputExistsException =>
        if (mode == "error") store.delete(decision) // nothing was shown, and nothing ever will be
        throw error
      case error: LockLostException =>
        if (record.isEmpty) throw error
        Commit.log.warn("another run took over and published the rows of this run")
    }
  }

  /** Steps `draft`, `check`, `decide`. */
  private def decide(mode: String, add: Seq[String], report: ObjectNode): Journal = {
    val retire =
      if (mode == "overwrite" && !store.isAtomic) store.names(places.output).diff(add) else Nil
    val folder = if (mode == "overwrite") store.identity(s"$work/new") else ""
    val journal = Journal(mode, lock.run, job, lock.owner, add, retire, folder, report)
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

  /** End the run: what it knows was told, and the same command is a new job from here on. */
  def acknowledge(): Unit = {
    dropWork()
    lock.release(Option.when(job.runId.isEmpty)(places.done(job.name)).toSeq: _*)
  }

  /** End a run that publishes nothing more, and remove what it staged; a decision is kept. */
  def abandon(): Unit = {
    dropWork()
    lock.release()
  }

  /** Remove the folder of the run, unless a decision is in it that was not applied. */
  private def dropWork(): Unit =
    if (!store.exists(decision)) Recovery.drop(store, work, places.trash(lock.run))

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
