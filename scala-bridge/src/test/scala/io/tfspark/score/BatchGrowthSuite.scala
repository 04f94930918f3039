package io.tfspark.score

import io.tfspark.score.BatchGrowth._
import org.scalatest.funsuite.AnyFunSuite

/** The cases of growth in `tests/core/test_batching.py`. */
class BatchGrowthSuite extends AnyFunSuite {
  private val rowBytes = 64L
  private val largest = (BatchSize.TargetBytes / rowBytes).toInt
  private val runs = 25

  private def growth(
      rows: Option[Int] = None,
      fixed: Option[Int] = None,
      bytes: Option[Long] = Some(rowBytes),
      most: Int = BatchSize.MaxRows,
      modelBytes: Long = 0
  ): BatchGrowth = {
    val made = new BatchGrowth(BatchSize(rows), fixed, bytes, modelBytes)
    made.begin(most)
    made
  }

  /** The rows of each run if the time of a run is a function of its rows. */
  private def taken(growth: BatchGrowth, count: Int = runs)(seconds: Int => Double): Seq[Int] =
    Seq.fill(count) {
      val rows = growth.rows
      growth.took(rows, seconds(rows))
      rows
    }

  test("a light model gets 1 MiB, or as many rows as Spark passes") {
    assert(taken(growth(), 5)(_ * 1e-8) == Seq.fill(5)(largest))
    assert(taken(growth(most = 4096), 5)(_ * 1e-8) == Seq.fill(5)(4096))
    assert(growth(bytes = Some(1)).rows == BatchSize.MaxRows)
    assert(growth(bytes = Some(4 << 20)).rows == 2)
    assert(growth(bytes = Some(9 << 20)).rows == 1)
  }

  private def large = growth(modelBytes = 1L << 30)

  test("fast runs of a large model grow to 1 MiB") {
    val small = growth(modelBytes = FirstBytes / largest / 2)
    assert(taken(small, 5)(_ * 1e-8) == Seq.fill(5)(largest))
    assert(taken(large, 4)(_ * 1e-8) == Seq(FirstRows, 64 * FirstRows, largest, largest))
    val seen = scala.collection.mutable.Set.empty[Int]
    val prepared = taken(large, 6 + runs) { rows =>
      rows * 1e-8 + (if (seen.add(rows)) 5 * LongSeconds else 0)
    }
    assert(prepared.take(3) == Seq(FirstRows, FirstRows, 64 * FirstRows))
    assert(prepared.last == largest)
  }

  test("runs of a heavy model stay short") {
    Seq(LongSeconds / 7.5 -> 16, LongSeconds / 500 -> 512, LongSeconds * 2 -> 16).foreach {
      case (each, last) =>
        val rows = taken(large, 8 + runs)(_ * each)
        assert(rows.head == FirstRows && rows.max <= 2 * last)
        assert(rows.last >= last / 2 && rows.last <= last)
    }
  }

  test("runs grow while a row takes less time") {
    Seq[(Int => Double, Int)](
      (_ => 0.2, largest),
      (rows => 0.3 + rows * 1e-3, 4096),
      (rows => math.max(0.16, rows * 1e-4), 2048)
    ).foreach { case (seconds, last) =>
      val rows = taken(large, 30 + runs)(seconds)
      assert(rows.max <= 2 * last && rows.last == last)
    }
  }

  test("if the size of an output is open, the first run has few rows and shows it") {
    def open(rows: Option[Int]) = {
      val made = new BatchGrowth(BatchSize(rows), None, Some(rowBytes), 1 << 20, isOpen = true)
      made.begin(BatchSize.MaxRows)
      made
    }
    val auto = open(None)
    assert(auto.rows == FirstRows)
    auto.took(FirstRows, 1e-6)
    auto.learn(Some(4096))
    assert(auto.rows == 256)
    auto.learn(Some(rowBytes))
    auto.took(512, 1e-6)
    assert(auto.rows == largest)
    val asked = open(Some(100))
    assert(asked.rows == 100)
    asked.learn(Some(4 << 20))
    assert(asked.rows == 32)
  }

  test("a given size and a fixed batch dimension are never changed") {
    assert(taken(growth(rows = Some(7)))(_ * 1.0).toSet == Set(7))
    assert(taken(growth(rows = Some(7), fixed = Some(3)))(_ * 1.0).toSet == Set(3))
  }
}
