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
  private def parts(call: String): (Seq[Int], Seq[InternalRow]) = {
    val query = sql(s"SELECT id, nested, $call AS y FROM parquet.`$points`")
    val plan = query.queryExecution.executedPlan.collectFirst { case one: TfBatchEvalExec => one }
    val small = plan.get.copy(batchSize = BatchSize(None, 2000))
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
}
