package io.tfspark.sql

import java.nio.file.Files

import io.tfspark.TestModels

/** The execution of calls: calls that are evaluated once, columnar batches, metrics. */
class TfPredictSuite extends PointsSuite {

  test("columnar batches are scored as they come, and rows where the child gives rows") {
    val columnar = sql(s"SELECT id, $call FROM t")
    val rows = sql(s"SELECT id, $call FROM t WHERE id < 5")
    assert(columnar.collect().map(_.getFloat(1)).toSeq == expected(0 to 9 map (_.toLong): _*))
    assert(rows.collect().map(_.getFloat(1)).toSeq == expected(0, 1, 2, 3, 4))
    assert(execs(columnar.queryExecution.executedPlan).map(_.supportsColumnar) == Seq(true))
    assert(execs(rows.queryExecution.executedPlan).map(_.supportsColumnar) == Seq(false))
  }

  test("elements of a vector may be columns, constants or an array of them, in one call") {
    val query = sql(
      "SELECT tf_predict('linear', x0, x1), tf_predict('linear', array(x0, x1)), tf_predict('linear', x0, 1) FROM t"
    )
    assert(query.collect().forall(row => row.get(0) == row.get(1) && row.get(1) == row.get(2)))
    assert(evals(query).map(_.calls.size).sum == 2)
  }

  test("equal calls are evaluated once, through projects and filters of subqueries too") {
    val twice = sql(s"SELECT $call, $call + 1, abs($call) FROM t")
    assert(evals(twice).map(_.calls.size) == Seq(1))
    val filtered = sql(s"SELECT y FROM (SELECT $call AS y, id FROM t) WHERE y > 15 AND id < 9")
    assert(filtered.collect().map(_.getFloat(0)).toSeq == expected(7, 8))
    assert(evals(filtered).map(_.calls.size) == Seq(1))
  }

  test("plain conditions go before the model, and a limit too") {
    val filtered = sql(s"SELECT id FROM t WHERE $call > 4 AND id < 4")
    assert(filtered.collect().map(_.getLong(0)).toSeq == Seq(2L, 3L))
    assert(rowsScored(filtered) == 4)
    val limited = sql(s"SELECT $call FROM t LIMIT 3")
    assert(limited.collect().length == 3)
    assert(rowsScored(limited) == 3)
  }

  test("features are not kept beside the results when nothing above reads them") {
    val query = sql(s"SELECT id FROM t WHERE $call > 4")
    assert(evals(query).map(_.keep.map(_.name)) == Seq(Seq("id")))
  }

  test("a column of few values, which Parquet keeps in a dictionary, is read as values") {
    val folder = Files.createTempDirectory("dictionary").resolve("t").toString
    sql(
      "SELECT id, array(float(id % 2), float(1)) AS features, float(id % 2) AS x0 FROM range(0, 20000, 1, 1)"
    )
      .write.parquet(folder)
    spark.read.parquet(folder).createOrReplaceTempView("few")
    assert(sql(s"SELECT $call AS y, x0 FROM few").where("y != 2 * x0 + 2").count() == 0)
    having(BridgeConf.Narrow -> "true")(assert(sql(
      s"SELECT tf_predict('${model("types")}', true, float(1), x0, 0D, 0S, 0, 0L, 0Y, '', 0, 0L, 0S).out_float32 y, x0 FROM few"
    )
      .where("y != 2 * x0").count() == 0))
  }

  test("EXPLAIN shows model, digest and batch size; metrics count rows, batches and time") {
    val digest = TestModels.answers("linear").get("digest").asText
    val simple = values(s"EXPLAIN SELECT $call FROM t").mkString
    assert(
      simple.contains(
        s"TfBatchEval [tf_predict(linear version 1 (${digest.take(12)}) serving_default"
      ),
      simple
    )
    assert(simple.contains("batch size auto"), simple)
    assert(having(
      BridgeConf.BatchRows -> "4"
    )(values(s"EXPLAIN FORMATTED SELECT $call FROM t").mkString).contains(s"digest $digest"))
    having(BridgeConf.BatchRows -> "4") {
      val query = sql(s"SELECT $call FROM t")
      query.collect()
      val metrics =
        execs(query.queryExecution.executedPlan).head.metrics.view.mapValues(_.value).toMap
      assert(
        metrics("modelRows") == 10 && metrics("modelBatches") == 3 && metrics("numOutputRows") == 10
      )
      assert(metrics("modelRunTime") > 0)
    }
  }

  test("large rows go through in several batches") {
    having(BridgeConf.BatchRows -> "1000") {
      sql(
        "SELECT id, tf_predict('linear', float(id % 100), float(1)) AS y FROM range(0, 50000, 1, 2)"
      )
        .createOrReplaceTempView("many")
      assert(sql("SELECT id, y FROM many WHERE y != 2 * (id % 100) + 2").collect().toSeq == Nil)
      assert(values("SELECT count(*) FROM many WHERE y IS NOT NULL") == Seq(50000L))
    }
  }

  test("a batch size beyond all memory gives the same results") {
    having(BridgeConf.BatchRows -> Int.MaxValue.toString) {
      assert(values(s"SELECT $call FROM t WHERE id < 3") == expected(0, 1, 2))
      assert(values(s"SELECT $call FROM t LIMIT 2") == expected(0, 1))
    }
  }

  test("partitions, orders and exchanges are those of the child") {
    val joined = sql(
      s"""SELECT a.third, count(*) FROM (SELECT third, $call AS y FROM t) a
            JOIN (SELECT third, $call AS y FROM t) b ON a.third = b.third AND a.y = b.y
            GROUP BY a.third ORDER BY a.third"""
    )
    assert(joined.collect().map(_.getLong(1)).toSeq == Seq(4L, 3L, 3L))
    assert(
      values(
        s"SELECT y FROM (SELECT third, $call AS y FROM t DISTRIBUTE BY third SORT BY id) WHERE third = 1"
      )
        .toSet == expected(1, 4, 7).toSet
    )
  }

  test("the function describes itself") {
    assert(values(
      "DESCRIBE FUNCTION tf_predict"
    ).mkString.contains("tf_predict(model, [signature,] inputs…)"))
    assert(values("SHOW FUNCTIONS LIKE 'tf_pr*'").mkString.contains("tf_predict"))
  }
}
