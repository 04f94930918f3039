package io.tfspark.score

import java.nio.file.Paths

import scala.util.Using

import io.tfspark.TestModels
import io.tfspark.engine.NativeSession
import io.tfspark.model._
import io.tfspark.tensor.ColumnPlace
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow
import org.apache.spark.sql.catalyst.util.ArrayData
import org.apache.spark.sql.execution.vectorized.OnHeapColumnVector
import org.apache.spark.unsafe.types.UTF8String
import org.scalatest.funsuite.AnyFunSuite

class BatchSizeSuite extends AnyFunSuite {
  private val auto = BatchSize(None)

  test("rows are as many as make 1 MiB, as many as are asked for, or as many as the model takes") {
    assert(auto.step(None, Some(1024)) == 1024)
    assert(auto.step(None, Some(8 << 20)) == 1)
    assert(auto.step(None, Some(1)) == BatchSize.MaxRows)
    assert(auto.step(None, None) == BatchSize.MaxRows)
    assert(BatchSize(Some(200000)).step(None, Some(8)) == 200000)
    assert(BatchSize(Some(7)).step(Some(32), Some(8)) == 32)
  }

  test("a run has up to 8 large rows if they fit into 8 MiB") {
    assert(auto.step(None, Some(600 << 10)) == 8)
    assert(auto.step(None, Some(130 << 10)) == 8)
    assert(auto.step(None, Some(3 << 20)) == 2)
    assert(auto.step(None, Some(9 << 20)) == 1)
    assert(BatchSize(Some(1)).step(None, Some(600 << 10)) == 1)
  }

  test("a model with a fixed batch dimension gets whole batches, however wide its rows are") {
    assert(auto.step(Some(32), Some(600 << 10)) == 32)
    assert(auto.step(Some(32), Some(16 << 20)) == 32)
    assert(auto.step(Some(32), None) == 32)
  }

  test("a number of rows that would not fit is cut") {
    assert(BatchSize(Some(Int.MaxValue)).step(None, Some(1 << 20)) == 128)
    assert(BatchSize(Some(Int.MaxValue)).step(None, Some(4L << 30)) == 1)
    assert(auto.step(Some(4096), Some(1 << 20)) == 1024)
  }

  /** The number of rows in a full batch, and the number of runs that scored them. */
  private def filled(name: String, size: BatchSize, value: Any): (Int, Int) = {
    val (rows, runs) = runsOf(TestModels.path(name), size, value)
    (rows, runs.size)
  }

  /** The rows of a full batch, and those of each run that scored them. */
  private def runsOf(path: String, size: BatchSize, value: Any): (Int, Seq[Int]) = {
    val model = ModelPackage.load(Paths.get(path))
    val signature = model.signature()
    val kind = RowValues.columnType(signature.inputs.head)
    val binding = Binding.bind(signature, Seq(ColumnAtHand(signature.inputs.head.name, kind)))
    val places = Seq(Seq(ColumnPlace(signature.inputs.head.name, 0, kind)))
    val runs = Seq.newBuilder[Int]
    val counts: ScoreMetrics = (count: Int, _: Long) => runs += count: Unit
    Using.resource(NativeSession.load(model.path, model.tags, 1)) { session =>
      val runner = session.runner(signature)
      val scorer = new BatchScorer(runner, binding, places, size, Origin(path, None), counts)
      Using.resource(scorer) { _ =>
        scorer.start(new OnHeapColumnVector(16, binding.result))
        val rows = Iterator.continually(new GenericInternalRow(Array[Any](value)))
        val taken = rows.takeWhile(_ => !scorer.isFull).map(scorer.add).size
        scorer.finish()
        (taken, runs.result())
      }
    }
  }

  private val point = ArrayData.toArrayData(Array(1f, 2f))

  test("a batch ends when its results fill memory, of rows that are null too") {
    assert(filled("linear", BatchSize(Some(1000000), 2000), point) == (100, 1))
    assert(filled("linear", BatchSize(Some(1000000), 2000), null) == (100, 0))
    assert(filled("linear", BatchSize(Some(30), 2000), point) == (100, 4))
  }

  test("if an output has an open size, few rows are run first, and show the bytes of a row") {
    val open = TestModels.openShape().toString
    val matrix = ArrayData.toArrayData(Array(1f, 2f, 3f))
    val row = ArrayData.toArrayData(Array[Any](matrix, matrix))
    assert(runsOf(open, BatchSize(None, 2000), row) == ((46, Seq(16, 30))))
    assert(runsOf(open, BatchSize(Some(30), 2000), row) == ((46, Seq(30, 16))))
  }

  test("strings are run when their bytes fill memory, whatever number of rows is asked for") {
    val (taken, runs) =
      filled("words", BatchSize(Some(1000000), 4000), UTF8String.fromString("x" * 999))
    assert(runs == (taken + 3) / 4, s"$taken rows in $runs runs")
  }

  test("a batch of a fixed batch dimension ends with a whole batch") {
    assert(filled("fixed", BatchSize(None, 200), point) == (12, 3))
  }
}
