package io.tfspark.engine

import java.nio.file.{Files, Paths}

import scala.util.Using

import io.tfspark.TestModels
import io.tfspark.model.ModelPackage
import io.tfspark.score.{BatchSize, Origin, ValueScorer}
import org.scalatest.funsuite.AnyFunSuite

/** Native memory stays flat. `-Dtfspark.test.calls=1000000` makes it the million. */
class SoakSuite extends AnyFunSuite {
  private val calls = sys.props.getOrElse("tfspark.test.calls", "100000").toInt

  /** Memory of this process in bytes, as Linux counts it. */
  private def resident: Long = Files.readString(Paths.get("/proc/self/statm")).split(' ')(1).toLong * 4096

  private def soak(name: String, signature: String, row: Seq[Any]): Unit = {
    assume(Files.exists(Paths.get("/proc/self/statm")), "memory is read from Linux's own account")
    val model = ModelPackage.load(Paths.get(TestModels.path(name)))
    Using.resource(NativeSession.load(model.path, model.tags, 1)) { session =>
      val chosen = model.signature(signature)
      val scorer = new ValueScorer(session, chosen, chosen.outputs.map(_.name), BatchSize(None), Origin(name, None))
      Using.resource(scorer) { _ =>
        (1 to 20000).foreach(_ => scorer.score(Seq(row)))
        val before = settled()
        (1 to calls).foreach(_ => scorer.score(Seq(row)))
        val grown = settled() - before
        info(s"$name: $calls calls, ${grown >> 10} KiB more")
        // A leak of one tensor per call would be some hundred bytes each.
        assert(grown < calls * 64L + (8 << 20))
      }
    }
  }

  private def settled(): Long = {
    System.gc()
    resident
  }

  test("numbers")(soak("linear", "serving_default", Seq(Seq(1f, 2f))))

  test("strings in and out")(soak("words", "serving_default", Seq("a word that is longer than a small string may be")))

  test("sessions that are opened and closed give their memory back") {
    val model = ModelPackage.load(Paths.get(TestModels.path("linear")))
    def open() = Using.resource(NativeSession.load(model.path, model.tags, 1))(_.runner(model.signature()).close())
    (1 to 20).foreach(_ => open())
    val before = settled()
    (1 to 100).foreach(_ => open())
    assert(settled() - before < (64 << 20))
  }
}
