package io.tfspark.jobs.commit

import java.nio.file.{Files, Path}

import scala.jdk.CollectionConverters._
import scala.util.Using

/** Ends a job as a kill would; no code catches it. */
final class Stopped(operation: String) extends Error(s"before $operation")

/** A job without Spark that can be stopped before any operation. Job `A` writes `A.1` and `A.2`,
  * each as a file.
  */
final class SmallJob(val output: Path, val name: String, val mode: String, runId: String = "") {
  private var runs = 0

  /** The table of the files, and its catalog. */
  var table: Option[TableRecord] = None
  var tables: Tables = NoTables

  /** Run the job as `Execution` does; returns how it ended.
    *
    * @param allowed number of operations before the job is stopped
    */
  def run(allowed: Int = Int.MaxValue, owner: Owner = Stopping.killed): String = {
    runs += 1
    val lock = new Lock(Stopping.store(allowed), Stopping.places(output), s"$name$runs", owner)
    try run(new Commit(lock, tables))
    finally lock.silence()
  }

  private def run(commit: Commit): String =
    if (commit.begin(JobKey(name, runId)).isDefined) {
      commit.acknowledge()
      "already done"
    } else if (mode == "error" && Files.exists(output)) {
      commit.abandon()
      "exists"
    } else {
      commit.openWork()
      table.foreach(record => commit.noteTable(record.definition))
      val written = Files.createDirectories(Path.of(commit.work, "spark"))
      val files = Seq("1", "2").map(part => s"$name$runs-$part" -> s"$name.$part")
      files.foreach { case (file, row) => Files.writeString(written.resolve(file), row) }
      commit.count("spark", files.map(_._1))
      commit.publish(mode, files.map(_._1), Json.node().put("run", commit.lock.run), table)
      commit.acknowledge()
      "done"
    }

  /** The expected rows after the job, given the rows before it. */
  def after(there: Option[Seq[String]]): Option[Seq[String]] = {
    val kept = if (mode == "append") there.getOrElse(Nil) else Nil
    Some((kept ++ Seq(s"$name.1", s"$name.2")).sorted)
  }
}

/** A catalog that keeps the tables that it was told of. */
final class FakeTables(output: Path) extends Tables {
  var shown: Option[Seq[String]] = None
  var dropped: Seq[String] = Nil

  override def show(table: TableRecord, mode: String): Unit = {
    shown = Stopping.rows(output)
    drop(table.definition)
  }

  override def drop(name: String): Unit = dropped = (dropped :+ name).distinct
}

object Stopping {

  /** A process of this machine that has ended. */
  val killed: Owner = Owner.ofThisProcess.copy(started = "0")

  def places(output: Path): HiddenFolder = HiddenFolder(output.toString)

  /** Real local files; stops the job after `allowed` operations. */
  def store(allowed: Int = Int.MaxValue): Store = {
    var done = 0
    new WatchedStore(
      new LocalStore,
      operation => {
        if (done == allowed) throw new Stopped(operation)
        done += 1
      }
    )
  }

  /** The rows in a folder; none when it does not exist. */
  def rows(output: Path): Option[Seq[String]] =
    Option.when(Files.exists(output))(
      names(output).map(name => Files.readString(output.resolve(name))).sorted
    )

  def names(folder: Path): Seq[String] =
    Using.resource(Files.list(folder))(_.iterator.asScala.map(_.getFileName.toString).toSeq.sorted)

  /** Jobs that were stopped before operation 0, 1, 2, …, each with its own output, until a job
    * finishes.
    *
    * @param change is called with each job before it runs
    */
  def jobs(
      mode: String,
      there: Option[Seq[String]],
      change: SmallJob => Unit = _ => ()
  ): Iterator[SmallJob] = {
    val root = Files.createTempDirectory("commit")
    val stopped = Iterator.from(0).map { allowed =>
      val output = Files.createDirectories(root.resolve(allowed.toString)).resolve("out")
      there.foreach { rows =>
        Files.createDirectory(output)
        rows.foreach(row => Files.writeString(output.resolve(s"file of $row"), row))
      }
      val job = new SmallJob(output, "A", mode)
      change(job)
      Option.when(isStopped(job, allowed))(job)
    }
    stopped.takeWhile(_.isDefined).flatten
  }

  private def isStopped(job: SmallJob, allowed: Int): Boolean =
    try {
      job.run(allowed)
      assert(allowed > 15)
      false
    } catch { case _: Stopped => true }
}
