package io.tfspark.sql

import java.nio.file.Files

import io.tfspark.SparkSuite
import io.tfspark.score.BatchSize
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.execution.ColumnarToRowExec

class TfBatchEvalExecSuite extends SparkSuite {
  private val rows = 1000

  private lazy val points: String = {
    val folder = Files.createTempDirectory("parts").resolve("t").toString
    sql(
      s"""SELECT id, named_struct('a', id) AS nested, array(float(id), 1f) AS features, 1f AS x1,
         float(id) AS x0 FROM range(0, $rows, 1, 1)"""
    ).write.parquet(folder)
    folder
  }

  /** The rows of each part of the only batch, and all of them with their results. */
  private def parts(
      call: String,
      from: String = points,
      mostBytes: Long = 2000
  ): (Seq[Int], Seq[InternalRow]) = {
    val query = sql(s"SELECT id, nested, $call AS y FROM parquet.`$from`")
    val plan = query.queryExecution.executedPlan.collectFirst { case one: TfBatchEvalExec => one }
    val small = plan.get.copy(batchSize = BatchSize(None, mostBytes))
    val sizes = small.executeColumnar().map(_.numRows).collect().toSeq
    (sizes, ColumnarToRowExec(small).executeCollect().toSeq)
  }

  test("a columnar batch is returned in parts whose results fit into memory") {
    Seq("features", "x0, x1").foreach { inputs =>
      val (sizes, found) = parts(s"tf_predict('linear', $inputs)")
      assert(sizes == Seq.fill(10)(100))
      assert(found.map(_.getLong(0)) == (0L until rows.toLong))
      assert(found.map(_.getStruct(1, 1).getLong(0)) == (0L until rows.toLong))
      assert(found.map(_.getFloat(2)) == (0 until rows).map(2f * _ + 2f))
    }
  }

  test("the first part has few rows if an output is text") {
    val (sizes, found) = parts(s"tf_predict('${model("pair")}', id, features)")
    assert(sizes.head == 16 && sizes.slice(1, 3) == Seq(55, 55) && sizes.sum == rows)
    assert(found.map(_.getStruct(2, 2).getUTF8String(1).toString).distinct == Seq("plus"))
  }

  test("a part ends early if its results become larger than those before") {
    val folder = Files.createTempDirectory("parts").resolve("t").toString
    val growing = "IF(id < 16, array(1D), array_repeat(1D, 2000)) AS values"
    sql(s"SELECT id, id AS nested, float(id) AS x, $growing FROM range(0, $rows, 1, 1)")
      .write.parquet(folder)
    val series = s"tf_predict('${model("series")}', values)"
    val other = s"tf_predict('${model("alone")}', map('batch_size', '1'), x)"
    Seq(series, s"struct($series, $other)").foreach { call =>
      val (sizes, found) = parts(call, folder, 4 << 20)
      assert(sizes.head == 16 && sizes.max < 400 && sizes.sum == rows, sizes)
      assert(found.map(_.getLong(0)) == (0L until rows.toLong))
    }
  }
}
