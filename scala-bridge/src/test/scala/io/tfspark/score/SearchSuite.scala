package io.tfspark.score

import org.scalatest.funsuite.AnyFunSuite

class SearchSuite extends AnyFunSuite {

  /** A batch of rows, of which a model refuses some; counts the runs of the model. */
  final private class Batch(size: Int, bad: Set[Int]) {
    var runs = 0
    var stoodIn: Set[Int] = Set.empty

    private def refuses(rows: Seq[Int]): Option[String] = {
      runs += 1
      rows.find(bad).map(row => s"refused $row")
    }

    def search(): Map[Int, String] =
      new Search[String](
        size,
        (start, stop) => refuses(start until stop),
        (refused, other) => {
          val result =
            refuses((0 until size).map(row => if (refused(row)) other else row))
          if (result.isEmpty) stoodIn = refused
          result
        }
      ).refusedRows("the whole batch")
  }

  test("the refused rows are found, and the others are scored without them") {
    Seq(Set(0), Set(63), Set(7, 8), Set(0, 31, 32, 63), (0 until 64 by 2).toSet).foreach { bad =>
      val batch = new Batch(64, bad)
      assert(batch.search().keySet == bad)
      assert(batch.stoodIn == bad)
    }
  }

  test("each refused row costs at most 2·log2(rows) runs") {
    (0 until 64).foreach { row =>
      val batch = new Batch(64, Set(row))
      batch.search(): Unit
      assert(batch.runs <= 12, row)
    }
    val two = new Batch(1024, Set(5, 900))
    two.search(): Unit
    assert(two.runs <= 2 * 2 * 10)
  }

  test("a batch of refused rows only is not scored") {
    val batch = new Batch(4, Set(0, 1, 2, 3))
    assert(batch.search().keySet == Set(0, 1, 2, 3))
    assert(batch.stoodIn.isEmpty)
  }

  test("a batch that fails only as a whole has no refused rows") {
    val found = new Search[String](
      8,
      (start, stop) => Option.when(stop - start == 8)("too many"),
      (_, _) => Some("too many")
    )
    assert(found.refusedRows("too many").isEmpty)
  }
}
