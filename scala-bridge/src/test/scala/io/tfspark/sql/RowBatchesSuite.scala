package io.tfspark.sql

class RowBatchesSuite extends PointsSuite {

  test("a batch has whole batches of the models with a fixed batch dimension") {
    assert(RowBatches.most(8192, Nil) == 8192)
    assert(RowBatches.most(10, Seq(64)) == 64)
    assert(RowBatches.most(8192, Seq(100)) == 8200)
    assert(RowBatches.most(10, Seq(4, 6, 4)) == 12)
    assert(RowBatches.most(10, Seq(1000, 1001)) == 1001)
    assert(RowBatches.most(10, Seq(200000)) == 200000)
    assert(RowBatches.most(Int.MaxValue, Seq(64)) == Int.MaxValue / 64 * 64)
  }

  test("only the last run of a partition is padded, whatever batch size the session asks for") {
    val fixed = s"tf_predict('${model("fixed")}', array(float(id), 1f))"
    having(BridgeConf.BatchRows -> "10") {
      val query = sql(s"SELECT id, $fixed AS y FROM range(0, 42, 1, 1)")
      assert(query.collect().forall(row => row.getFloat(1) == row.getLong(0) - 1f))
      val metrics = execs(query.queryExecution.executedPlan).head.metrics
      assert(metrics("modelBatches").value == 11 && metrics("modelRows").value == 42)
    }
  }
}
