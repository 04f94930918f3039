package io.tfspark.jobs.commit

import java.nio.file.{FileAlreadyExistsException, NoSuchFileException}

import scala.annotation.tailrec
import scala.concurrent.duration._
import scala.util.control.NonFatal

import com.fasterxml.jackson.databind.node.ObjectNode
import io.tfspark.error._
import org.slf4j.LoggerFactory

/** The content of a lock or a heartbeat: a run and its process. */
final private[jobs] case class Holder(run: String, owner: Owner) {
  def toJson: String =
    Json.print(Json.node().put("run", run).set[ObjectNode]("owner", owner.toJson))
}

private[jobs] object Holder {

  /** The holder in a file's text.
    *
    * @param run the run in the file's name
    */
  def of(text: String, run: String): Holder =
    if (text.isEmpty) Holder(run, Owner.unknown) // on HDFS, while it is written
    else {
      val json = ForeignRecord.record(Json.parse(text))
      Holder(ForeignRecord.run(json.path("run")), Owner.of(json.path("owner")))
    }
}

/** The lock of one output, for one run: one job at a time; a dead job blocks no other job. Driver.
  *
  * A lock is a file `lock-<generation>` that is created if it does not exist. Its owner counts as
  * alive while its heartbeat is younger than the lease, by the clock of the file system, and its
  * process is not known to have ended. The next generation takes over the lock of a dead owner.
  *
  * A process on another machine may have died after its last heartbeat. A job that finds its lock
  * waits for the next heartbeat, or for the end of the lease. So a cluster manager can start the
  * driver of a dead job again at once, on any machine. No job waits for a lock whose owner is known
  * to be alive.
  *
  * Steps of the commit have the same names as in `tests/faults/commit_model.py`. The lock alone
  * does not make a commit safe, because a paused owner may wake up. The rename in `Recovery` makes
  * it safe.
  *
  * @param lease time without a heartbeat after which an owner counts as dead
  */
final private[jobs] class Lock(
    val store: Store,
    val places: HiddenFolder,
    val run: String,
    val owner: Owner,
    lease: FiniteDuration = Lock.lease
) {
  private val own = Holder(run, owner)
  private val heartbeat = new Heartbeat(lease.toMillis / Lock.beatsPerLease, () => keepBeating())
  private var held = 0

  /** The generation of the lock that is held; 0 when none is. */
  def generation: Int = held

  /** Get the lock. If a live job has it, the error names that job. */
  def acquire(): Unit = {
    checkFolder()
    if (!(1 to Lock.tries).exists(_ => isAcquired()))
      throw withdraw("Other jobs kept locking the output")
  }

  /** Refuse a hidden folder into which unexpected users can put files. */
  def checkFolder(): Unit = Access.refusePlanted(store, places)

  private def isAcquired(): Boolean = {
    val next = look()
    val isOurs = enter() && claim(next)
    if (isOurs) {
      checkFolder() // another user may have made it meanwhile
      confirm()
      fence()
      heartbeat.start()
    }
    isOurs
  }

  /** Whether this run still has the lock, and no other run has begun to take it over. */
  def holds: Boolean = locks.maxOption.contains(held)

  /** Whether a heartbeat belongs to a dead run, or does not exist. */
  def isSilent(beat: String): Boolean = read(beat).forall(!isAlive(_))

  /** Stop the heartbeat. */
  def silence(): Unit = heartbeat.silence()

  /** Release the lock: steps `release` and `acknowledge`.
    *
    * @param records files to delete together with the heartbeat, as the last operation
    */
  def release(records: String*): Unit = {
    silence()
    if (held > 0) {
      store.delete(places.lock(held))
      held = 0
    }
    store.names(places.path)
      .filter(name => name.startsWith(HiddenFolder.Fenced) && name.endsWith(s"-$run"))
      .foreach(name => store.delete(s"${places.path}/$name"))
    store.deleteLast(records :+ places.beat(run): _*)
  }

  private def locks: Seq[Int] = store.names(places.path).flatMap(HiddenFolder.lockGeneration)

  private def others: Seq[Int] = locks.filter(_ != held)

  private def read(path: String): Option[Holder] =
    ForeignRecord.read(store, path)(Holder.of(_, path.drop(places.beat("").length)))

  @tailrec private def look(): Int = {
    val names = store.names(places.path)
    val newest = names.flatMap(HiddenFolder.lockGeneration).maxOption
    val owner = newest.flatMap(generation => read(places.lock(generation)))
    val beat = owner.flatMap(beatOf)
    owner.filter(isYoung(_, beat)) match {
      case None => 1 + names.flatMap(HiddenFolder.generation).maxOption.getOrElse(0)
      case Some(holder) if isAliveAfterWait(holder, beat) => throw heldBy(holder)
      case _ => look() // another job may have taken over the lock during the wait
    }
  }

  private def heldBy(holder: Holder): OutputBusyException =
    withdraw("Another job writes to the output", found = s"run ${holder.run}, ${holder.owner}")

  /** Whether a holder's heartbeat is young enough, by the clock of the file system. */
  def isAlive(holder: Holder): Boolean = isYoung(holder, beatOf(holder))

  private def beatOf(holder: Holder): Option[Long] = store.modified(places.beat(holder.run))

  private def isYoung(holder: Holder, beat: Option[Long]): Boolean =
    beat match {
      case Some(theirs) if !holder.owner.hasEnded =>
        // If another job removed the folder, the caller looks again.
        !enter() || store.modified(places.beat(run)).forall(_ - theirs < lease.toMillis)
      case _ => false
    }

  /** Whether a holder is alive. If this is unknown, wait for its next heartbeat.
    *
    * The wait takes one lease at most. A holder that ends its work meanwhile counts as alive,
    * because this job may have planned with the state before that work.
    *
    * @param seen the time of its heartbeat when the caller looked; by default that of now
    */
  def isAliveAfterWait(holder: Holder, seen: Option[Long] = None): Boolean = {
    val last = seen.orElse(beatOf(holder))
    @tailrec def watch(look: Int): Boolean = {
      val beat = beatOf(holder)
      if (beat != last) true
      else if (!isYoung(holder, beat)) false
      // Some file systems round times to seconds. At the end, the heartbeat is in the future.
      else if (holder.owner.isRunning || look > Lock.looksPerLease + 1) true
      else {
        if (look == 0)
          Lock.log.warn(
            s"run ${holder.run}, ${holder.owner}, may be dead; the job on ${places.output} waits " +
              s"up to ${lease.toSeconds} s for a heartbeat"
          )
        Thread.sleep(lease.toMillis / Lock.looksPerLease)
        watch(look + 1)
      }
    }
    watch(0)
  }

  /** Create the heartbeat; false if another job has just removed the folder. */
  private def enter(): Boolean = {
    store.makeHidden(places.path)
    try {
      store.create(places.beat(run), own.toJson)
      true
    } catch {
      case _: NoSuchFileException => false
      case _: FileAlreadyExistsException => isTouched()
    }
  }

  private def isTouched(): Boolean =
    try {
      store.touch(places.beat(run))
      true
    } catch { case _: NoSuchFileException => false }

  private def claim(next: Int): Boolean =
    try {
      store.create(places.lock(next), own.toJson)
      held = next
      enter() // again, because a job that ended may have removed the heartbeat
    } catch { case _: NoSuchFileException | _: FileAlreadyExistsException => false }

  /** Give up if another job has claimed too: `look` and `claim` are two operations. */
  private def confirm(): Unit = {
    if (!holds) throw withdraw("Another job has just locked the output")
    others.flatMap(generation => read(places.lock(generation))).find(isAlive).foreach { holder =>
      throw heldBy(holder)
    }
  }

  /** Reserve the generation of an owner that may wake up, so that it is not used again. */
  private def fence(): Unit =
    for {
      generation <- others
      holder <- read(places.lock(generation))
    } {
      Lock.log.warn(s"takes over from run ${holder.run}, ${holder.owner}: its heartbeat stopped")
      if (store.exists(places.beat(holder.run)) && !holder.owner.hasEnded)
        try store.create(places.fenced(generation, holder.run), "")
        catch { case _: FileAlreadyExistsException => () }
    }

  /** Remove the created files; returns the error of an output that is not free. */
  private def withdraw(problem: String, found: String = ""): OutputBusyException = {
    release()
    new OutputBusyException(
      Explain(
        s"$problem ${places.output}.",
        expected = "one job at a time",
        found = found,
        hint = "run the same command again when the other job has ended; its last heartbeat " +
          s"is the time of ${places.beat("*")}."
      )
    )
  }

  /** Touch the heartbeat; false when the run has lost the lock. */
  private def keepBeating(): Boolean =
    try {
      store.touch(places.beat(run))
      true
    } catch {
      case _: NoSuchFileException =>
        if (!heartbeat.isSilent) Lock.log.warn(s"the lock of ${places.output} was taken over")
        false
      case NonFatal(error) => // a slow file system; the next beat may get through
        Lock.log.warn(s"a heartbeat failed: $error")
        true
    }
}

private[jobs] object Lock {
  private val log = LoggerFactory.getLogger(classOf[Lock])

  /** It has to outlast the caches of a network file system, which keep times for a minute. */
  val lease: FiniteDuration = 120.seconds
  private val beatsPerLease = 8
  private val looksPerLease = 24

  /** How often another job may take the lock between the steps `look` and `claim`. */
  private val tries = 20
}
