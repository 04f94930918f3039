package io.tfspark.engine

import java.nio.file.{Files, Paths}

import scala.jdk.CollectionConverters._
import scala.util.Using

import io.tfspark.{ScoreOptions, TestModels}
import io.tfspark.model.ModelPackage
import io.tfspark.score.{Origin, ValueScorer}
import org.scalatest.funsuite.AnyFunSuite

/** Native memory does not grow; `SBT_OPTS=-Dtfspark.test.calls=1000000` runs a million calls. */
class SoakSuite extends AnyFunSuite {
  private val calls = sys.props.getOrElse("tfspark.test.calls", "50000").toInt

  /** Resident memory of this process in bytes without Java's heap, which lies below 32 GiB for
    * compressed pointers.
    */
  private def outsideOfHeap: Long = {
    val region = "([0-9a-f]+)-[0-9a-f]+ .*".r
    val size = "Rss: +([0-9]+) kB".r
    Files.readAllLines(Paths.get("/proc/self/smaps")).asScala.foldLeft((0L, false)) {
      case ((total, _), region(start)) =>
        (total, java.lang.Long.parseUnsignedLong(start, 16) >>> 35 != 0)
      case ((total, true), size(kilobytes)) => (total + kilobytes.toLong * 1024, true)
      case (state, _) => state
    }._1
  }

  private def soak(name: String, signature: String, row: Seq[Any]): Unit = {
    assume(Files.exists(Paths.get("/proc/self/smaps")), "memory is read from Linux's own account")
    val model = ModelPackage.load(Paths.get(TestModels.path(name)))
    Using.resource(NativeSession.load(model.path, model.tags, 1)) { session =>
      val chosen = model.signature(signature)
      val scorer = new ValueScorer(
        session,
        chosen,
        chosen.outputs.map(_.name),
        ScoreOptions(),
        Origin(name, None)
      )
      Using.resource(scorer) { _ =>
        (1 to 20000).foreach(_ => scorer.score(Iterator(row)).foreach(identity))
        val before = settled()
        (1 to calls).foreach(_ => scorer.score(Iterator(row)).foreach(identity))
        val grown = settled() - before
        info(s"$name: $calls calls, ${grown >> 10} KiB more")
        // A leak of one tensor per call would be several hundred bytes per call.
        assert(grown < calls * 64L + (8 << 20))
      }
    }
  }

  private def settled(): Long = {
    System.gc()
    outsideOfHeap
  }

  test("numbers")(soak("linear", "serving_default", Seq(Seq(1f, 2f))))

  test("strings in and out")(soak(
    "words",
    "serving_default",
    Seq("a word that is longer than a small string may be")
  ))

  test("sessions that are opened and closed give their memory back") {
    val model = ModelPackage.load(Paths.get(TestModels.path("linear")))
    def open() = Using.resource(NativeSession.load(
      model.path,
      model.tags,
      1
    ))(_.runner(model.signature()).close())
    (1 to 20).foreach(_ => open())
    val before = settled()
    (1 to 100).foreach(_ => open())
    assert(settled() - before < (64 << 20))
  }
}
