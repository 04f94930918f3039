package io.tfspark.jobs.commit

import java.nio.file.{Files, Path}

import scala.concurrent.{Await, ExecutionContext, Future}
import scala.concurrent.duration._

import io.tfspark.error.OutputBusyException
import org.scalatest.funsuite.AnyFunSuite

/** A job is stopped before each operation and run again: the output has the rows of one clean run.
  */
class CommitSuite extends AnyFunSuite {
  private val modes = Seq("error", "overwrite", "append")
  private val old = Some(Seq("old.1"))

  /** An output in mode error is refused before anything is written. */
  private def cases: Seq[(String, Option[Seq[String]])] =
    for {
      mode <- modes
      there <- Seq(None, old)
      if mode != "error" || there.isEmpty
    } yield (mode, there)

  private def folder(): Path = Files.createTempDirectory("commit")

  private def isReadable(job: SmallJob, there: Option[Seq[String]]): Boolean = {
    val seen = Stopping.rows(job.output)
    val whole = seen == there || seen == job.after(there)
    job.mode match {
      case "append" => whole || seen.contains(Seq("A.1", "old.1"))
      case "overwrite" => whole || seen.isEmpty // between two renames
      case _ => whole
    }
  }

  cases.foreach { case (mode, there) =>
    test(s"stopped before any operation and run again: $mode on $there") {
      Stopping.jobs(mode, there).foreach { job =>
        assert(isReadable(job, there))
        assert(Set("done", "already done")(job.run()))
        assert(Stopping.rows(job.output) == job.after(there))
        assert(Stopping.names(job.output.getParent) == Seq("out"))
      }
    }

    test(s"stopped, then another job, then run again: $mode on $there") {
      modes.foreach { other =>
        Stopping.jobs(mode, there).foreach { job =>
          val second = new SmallJob(job.output, "B", other)
          val isSecondDone = second.run() == "done"
          val between = Stopping.rows(job.output)
          job.run() match {
            case "already done" => // the other job has published the rows of the first
              val first = job.after(there)
              assert(between == (if (isSecondDone) second.after(first) else first))
              assert(Stopping.rows(job.output) == between)
            case "exists" => assert(between == second.after(there))
            case _ =>
              assert(between == (if (isSecondDone) second.after(there) else there))
              assert(Stopping.rows(job.output) == job.after(between))
          }
          assert(Stopping.names(job.output.getParent) == Seq("out"))
        }
      }
    }
  }

  test("a recovery that is stopped is recovered") {
    Stopping.jobs("overwrite", old).foreach { job =>
      val ends = Iterator.from(0, 3).map { allowed =>
        try Some(job.run(allowed))
        catch { case _: Stopped => None }
      }
      assert(ends.find(_.isDefined).nonEmpty)
      assert(Stopping.rows(job.output) == job.after(old))
    }
  }

  /** The folder of a job of Python that was killed before its end, with one file in `new`. */
  private def killedOverwrite(
      output: Path,
      name: String,
      add: String
  )(identity: String => String) = {
    val work = Path.of(Stopping.places(output).work("A1"))
    val fresh = Files.createDirectories(work.resolve("new"))
    Seq(name, "_SUCCESS").foreach(one => Files.writeString(fresh.resolve(one), name))
    val (folder, report) = (identity(fresh.toString), Json.node().put("run", "A1"))
    val (job, owner) = (JobKey("A"), Stopping.killed)
    val journal = Journal("overwrite", "A1", job, owner, Seq(add), Nil, folder, report)
    Files.writeString(work.resolve("journal"), journal.toJson): Unit
  }

  Seq("part-1", "_SUCCESS").foreach { added =>
    test(s"rows that Python has replaced are never shown again: the new file is $added") {
      Seq(Nil, Seq("other")).foreach { there =>
        val output = folder().resolve("out")
        // Python has exchanged the folders, and another program has then moved the output.
        val moved = Files.createDirectory(output.resolveSibling("moved")).toString
        killedOverwrite(output, "old", added)(_ => new LocalStore().identity(moved))
        there.foreach(row => Files.writeString(Files.createDirectory(output).resolve(row), row))
        assert(new SmallJob(output, "B", "append").run() == "done")
        assert(Stopping.rows(output).contains(Seq("B.1", "B.2") ++ there))
      }
    }
  }

  test("new rows are shown, also if the number of the disk has changed") {
    val output = folder().resolve("out")
    killedOverwrite(output, "new", "_SUCCESS") { fresh =>
      new LocalStore().identity(fresh).replaceFirst(".*:", "0:")
    }
    assert(new SmallJob(output, "B", "append").run() == "done")
    assert(Stopping.rows(output).contains(Seq("B.1", "B.2", "new", "new")))
  }

  test("a live lock is refused and its owner named") {
    val (output, owner) = (folder().resolve("out"), Owner.ofThisProcess)
    val held = new Lock(Stopping.store(), Stopping.places(output), "A1", owner)
    held.acquire()
    val error = intercept[OutputBusyException](
      new SmallJob(output, "B", "append").run(owner = owner)
    )
    assert(error.exitCode == 75)
    assert(error.getMessage.contains(s"found:    run A1, process ${owner.pid}"), error.getMessage)
    assert(held.holds)
    held.release()
    assert(Stopping.names(output.getParent).isEmpty)
  }

  test("a lock of a process that has ended is taken over at once") {
    val output = folder().resolve("out")
    val dead = new Lock(Stopping.store(), Stopping.places(output), "A1", Stopping.killed)
    dead.acquire()
    dead.silence()
    assert(new SmallJob(output, "B", "append").run() == "done")
    assert(!dead.holds)
    assert(Stopping.names(output.getParent) == Seq("out"))
  }

  test("a job waits until an owner elsewhere beats, or its lease ends") {
    val output = folder().resolve("out")
    val elsewhere = Owner.ofThisProcess.copy(machine = "another")
    def lock(run: String, lease: FiniteDuration) =
      new Lock(Stopping.store(), Stopping.places(output), run, elsewhere, lease)
    // It beats every 0.7 s, and the other job looks after 2.5 s, so not at the same moment.
    val held = lock("A1", 5600.millis)
    held.acquire()
    val error = intercept[OutputBusyException](lock("B1", 60.seconds).acquire())
    assert(error.getMessage.contains("found:    run A1"))
    held.silence()
    val next = lock("C1", 1.second)
    next.acquire()
    assert(next.holds && !held.holds)
    next.release()
  }

  test("an owner elsewhere that ends its work during the wait counts as alive") {
    val output = folder().resolve("out")
    val elsewhere = Owner.ofThisProcess.copy(machine = "another")
    val held = new Lock(Stopping.store(), Stopping.places(output), "A1", elsewhere)
    held.acquire()
    held.silence()
    val waiting = Future(new SmallJob(output, "B", "append").run())(ExecutionContext.global)
    val beat = Path.of(Stopping.places(output).beat("B1"))
    while (!Files.exists(beat) && !waiting.isCompleted) Thread.onSpinWait()
    held.release()
    intercept[OutputBusyException](Await.result(waiting, 60.seconds))
    assert(Stopping.names(output.getParent).isEmpty)
  }

  test("a table is updated after its files, wherever its job was stopped") {
    val definition = "`db`.`y__tfspark`"
    def ofTable(job: SmallJob): Unit = {
      job.table = Some(TableRecord("`db`.`y`", job.output.toString, Nil, definition))
      job.tables = new FakeTables(job.output)
    }
    Stopping.jobs("append", old, ofTable).foreach { job =>
      assert(Set("done", "already done")(job.run()))
      val tables = job.tables.asInstanceOf[FakeTables]
      assert(tables.shown == job.after(old) && tables.dropped == Seq(definition))
      assert(Stopping.rows(job.output) == job.after(old))
      assert(Stopping.names(job.output.getParent) == Seq("out"))
    }
  }

  test("the work of a job into a table is kept for a session with its catalog") {
    val output = folder().resolve("out")
    val work = Path.of(Stopping.places(output).work("P1"))
    Files.writeString(Files.createDirectories(work).resolve("table"), "`db`.`scores`")
    val error = intercept[OutputBusyException](new SmallJob(output, "B", "append").run())
    assert(error.getMessage.contains("A job into the table `db`.`scores` is unfinished"))
    assert(Files.exists(work.resolve("table")) || Stopping.names(work.getParent).nonEmpty)
  }

  test("a silent lock is taken over and its owner publishes nothing") {
    val output = folder().resolve("out")
    val elsewhere = Owner.ofThisProcess.copy(machine = "another")
    def commit(run: String) =
      new Commit(new Lock(Stopping.store(), Stopping.places(output), run, elsewhere, 0.seconds))
    val slept = commit("A1")
    slept.begin(JobKey("A"))
    slept.lock.silence()
    slept.openWork()
    Files.writeString(Files.createDirectory(Path.of(slept.work, "spark")).resolve("A1-1"), "A.1")
    slept.count("spark", Seq("A1-1"))
    val other = commit("B1")
    other.begin(JobKey("B"))
    val fence = "fenced-1-A1"
    assert(Stopping.names(Path.of(other.lock.places.path)).contains(fence))
    other.acknowledge()
    val error = intercept[OutputBusyException](slept.publish("append", Seq("A1-1"), Json.node()))
    assert(error.getMessage.contains("lost the lock"))
    slept.abandon()
    assert(Stopping.names(output.getParent).isEmpty)
  }

  test("a run id that is done is not run again, and tells the old report") {
    val job = new SmallJob(folder().resolve("out"), "A", "append", runId = "monday")
    assert(Seq.fill(3)(job.run()) == Seq("done", "already done", "already done"))
    assert(Stopping.rows(job.output).contains(Seq("A.1", "A.2")))
    val lock = new Lock(Stopping.store(), Stopping.places(job.output), "B", Owner.ofThisProcess)
    val done = new Commit(lock).begin(JobKey("another digest", "monday"))
    assert(done.map(_.report.path("run").asText).contains("A1"))
    lock.release()
  }

  test("a finished append without a run id appends again") {
    val job = new SmallJob(folder().resolve("out"), "A", "append")
    assert(Seq.fill(2)(job.run()) == Seq("done", "done"))
    assert(Stopping.rows(job.output).contains(Seq("A.1", "A.1", "A.2", "A.2")))
  }
}
