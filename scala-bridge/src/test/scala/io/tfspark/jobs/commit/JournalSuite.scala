package io.tfspark.jobs.commit

import io.tfspark.error.OutputBusyException
import org.scalatest.funsuite.AnyFunSuite

/** The JSON that Python and Scala share. */
class JournalSuite extends AnyFunSuite {

  /** The text that Python writes. */
  private val text =
    """{"version": 1, "mode": "append", "run": "r", "job": {"digest": "d", "run_id": "monday"},
      | "owner": {"host": "h", "machine": "b/pid:[1]", "pid": 7, "started": "99", "user": "u@00fc"},
      | "add": ["part-1", "day=1/part-2"], "retire": [], "folder": "1:2",
      | "report": {"run": "r", "rows_in": null}}""".stripMargin.replace("u@00fc", "u\\u00fc")

  test("a journal of Python is read and written again") {
    val journal = Journal.of(text)
    assert(journal.mode == "append" && journal.run == "r" && journal.folder == "1:2")
    assert(journal.job == JobKey("d", "monday"))
    assert(journal.owner == Owner("h", "b/pid:[1]", 7, "99", "uü"))
    assert(journal.add == Seq("part-1", "day=1/part-2") && journal.retire.isEmpty)
    assert(Json.parse(journal.toJson) == Json.parse(text))
  }

  test("a journal that says more, or of another version, is refused") {
    Seq(
      text.replace("\"version\": 1", "\"version\": 2"),
      text.replace("\"retire\": []", "\"retire\": [], \"table\": \"db.scores\""),
      text.replace("\"retire\": []", "\"retire\": [], \"table\": {\"branch\": \"main\"}"),
      text.replace("\"retire\": []", "\"retire\": [], \"branch\": \"main\"")
    ).foreach { other =>
      val error = intercept[OutputBusyException](Journal.of(other))
      assert(error.getMessage.contains("with the program that started it."))
    }
    assert(Journal.of(text.replace("\"retire\": []", "\"retire\": [], \"table\": \"\"")).run == "r")
  }

  test("the table of a journal is read and written again") {
    val record =
      """{"name": "`db`.`scores`", "location": "file:/w/scores", "partitions": ["day"],
        | "definition": "`db`.`scores__tfspark_r`"}""".stripMargin
    val ofTable = text.replace("\"retire\": []", s"\"retire\": [], \"table\": $record")
    val journal = Journal.of(ofTable)
    assert(journal.table.contains(
      TableRecord("`db`.`scores`", "file:/w/scores", Seq("day"), "`db`.`scores__tfspark_r`")
    ))
    assert(Json.parse(journal.toJson) == Json.parse(ofTable))
  }

  test("the key of a job whose input has no state is no other run's") {
    val keys = Seq.fill(2)(JobKey.ofOneRun)
    assert(keys.distinct.size == 2 && keys.forall(_.digest.matches("one-run-[0-9a-f]{32}")))
    assert(keys.forall(_.isOfOneRun) && !keys.head.copy(runId = "monday").isOfOneRun)
  }

  test("names are those of Python") {
    val places = HiddenFolder("/data/out")
    assert(places.path == "/data/.out.tfspark")
    assert(places.lock(3) == "/data/.out.tfspark/lock-3")
    assert(places.fenced(3, "r-1") == "/data/.out.tfspark/fenced-3-r-1")
    assert(HiddenFolder.generation("fenced-3-r-1").contains(3))
    assert(HiddenFolder.generation("work-3").isEmpty && HiddenFolder.generation("lock-x").isEmpty)
    // hashlib.sha256(b"run id monday").hexdigest()[:32]
    assert(places.done(JobKey(
      "",
      "monday"
    ).name) == "/data/.out.tfspark/done-02769a7bb36ea0b6dd950b4403e2290a")
  }

  test("an owner is this process, and has ended when it was started at another time") {
    val owner = Owner.ofThisProcess
    assert(!owner.hasEnded && owner.pid == ProcessHandle.current.pid)
    assert(Owner.of(owner.toJson) == owner)
    assume(owner.machine.nonEmpty)
    assert(owner.copy(started = "0").hasEnded)
    assert(!owner.copy(started = "0", machine = "another").hasEnded)
    assert(!owner.copy(started = "").hasEnded)
  }
}
