package io.tfspark.sql

import org.apache.spark.sql.AnalysisException

/** `tf_predict` in every part of a query that can contain expressions. */
class QueryFormsSuite extends PointsSuite {

  test("groups, aggregates, calls over aggregates, order and windows") {
    assert(values(s"SELECT sum($call) FROM t") == Seq(110.0))
    assert(sql(s"SELECT $call AS y, count(*) FROM t GROUP BY $call ORDER BY y").count() == 10)
    assert(values("SELECT tf_predict('linear', sum(x0), max(x1)) FROM t".replace(
      "sum(x0)",
      "float(sum(x0))"
    )) == Seq(92f))
    assert(
      sql(
        "SELECT third, tf_predict('linear', max(x0), max(x1)) y FROM t GROUP BY third ORDER BY third"
      )
        .collect().map(_.getFloat(1)).toSeq == expected(9, 7, 8)
    )
    assert(values("SELECT tf_predict('linear', 1, 2) + count(*) FROM t") == Seq(13.0))
    assert(values(s"SELECT id FROM t ORDER BY $call DESC LIMIT 2") == Seq(9L, 8L))
    assert(values(s"SELECT sum($call) OVER (ORDER BY id) FROM t WHERE id < 3") == Seq(
      2.0,
      6.0,
      12.0
    ))
    assert(values(s"SELECT count(DISTINCT $call) FROM t") == Seq(10L))
  }

  test("joins: calls above, in a side, over both sides") {
    assert(values(s"SELECT $call FROM t JOIN rows r USING (id) WHERE t.id = 4".replace(
      "features",
      "t.features"
    )) == expected(4))
    assert(values(
      "SELECT tf_predict('linear', a.x0, b.x1) FROM t a JOIN rows b ON a.id = b.id WHERE a.id = 5"
    ) == expected(5))
    assert(values(
      "SELECT a.id FROM t a JOIN rows b ON tf_predict('linear', a.features) = tf_predict('linear', b.features) AND a.id < 2"
    ) == Seq(0L, 1L))
    assert(values(
      "SELECT a.id FROM t a JOIN rows b ON a.id = b.id AND tf_predict('linear', a.x0, b.x1) > 19"
    ) == Seq(9L))
    assert(values(
      "SELECT tf_predict('linear', b.features) FROM t a LEFT JOIN (SELECT * FROM rows WHERE id = 1) b ON a.id = b.id WHERE a.id < 2 ORDER BY a.id"
    ) == Seq[Any](null, 4f))
    val message = intercept[Exception](
      sql(
        "SELECT a.id FROM t a LEFT JOIN rows b ON tf_predict('linear', a.x0, b.x0) > 19"
      ).collect()
    )
    assert(
      messages(message).contains("needs columns of both sides of a join that is not an inner one")
    )
  }

  test("subqueries: scalar, IN, EXISTS, correlated") {
    assert(values(s"SELECT id FROM t WHERE $call = (SELECT max($call) FROM t)") == Seq(9L))
    assert(values(s"SELECT id FROM t WHERE float(id) IN (SELECT $call FROM t)") == Seq(
      2L,
      4L,
      6L,
      8L
    ))
    assert(values(
      "SELECT id FROM t a WHERE EXISTS (SELECT 1 FROM rows b WHERE a.id = b.id AND tf_predict('linear', b.features) > 17)"
    ) == Seq(8L, 9L))
    assert(values(
      "SELECT (SELECT max(tf_predict('linear', b.features)) FROM rows b WHERE a.id = b.id) FROM t a WHERE id = 3"
    ) == expected(3))
  }

  test("nested calls, unions, CASE, coalesce") {
    assert(values(
      "SELECT tf_predict('linear', tf_predict('linear', features), x1) FROM t WHERE id = 1"
    ) == Seq(10f))
    assert(values(
      s"SELECT $call FROM t WHERE id = 1 UNION ALL SELECT $call FROM rows WHERE id = 2"
    ) == expected(1, 2))
    assert(values(
      s"SELECT CASE WHEN id > 8 THEN $call ELSE 0 END FROM t WHERE id > 7"
    ).map(_.toString) == Seq("0.0", "20.0"))
  }

  test("arguments that are not deterministic are evaluated once for each call") {
    val call = "tf_predict('linear', float(rand(1)), 0f)"
    val found = sql(s"SELECT r, $call AS y FROM (SELECT rand(1) AS r FROM range(0, 4, 1, 1))")
    found.collect().foreach(row =>
      assert(math.abs(row.getFloat(1) - 2 * row.getDouble(0) - 3) < 1e-5)
    )
    assert(values(s"SELECT $call < 5 FROM range(4)") == Seq.fill(4)(true))
    assert(values(s"SELECT id FROM range(4) WHERE $call + rand() < 6 ORDER BY id").size == 4)
    assert(values(
      "SELECT tf_predict('linear', float(monotonically_increasing_id()), 1) FROM range(0, 2, 1, 1)"
    ) == Seq(2f, 4f))
  }

  test("calls inside of aggregates may use what is grouped by, or constants alone") {
    val rows = "(SELECT float(id) AS x0, float(id % 2) AS x1 FROM range(4))"
    val grouped = sql(
      s"SELECT x1, sum(tf_predict('linear', x0, x1)), max(tf_predict('linear', x1, x1)) FROM $rows GROUP BY x1 ORDER BY x1"
    )
    assert(grouped.collect().map(_.toSeq).toSeq == Seq(Seq(0f, 10d, 3f), Seq(1f, 12d, 4f)))
    assert(values(s"SELECT sum(tf_predict('linear', 1, 2)) FROM $rows") == Seq(12d))
    assert(values(
      s"SELECT tf_predict('linear', x1, float(sum(tf_predict('linear', x0, x1)))) FROM $rows GROUP BY x1 ORDER BY 1"
    ) == Seq(-7f, -7f))
  }

  test("a call in the condition that correlates a subquery is refused; beside it, it runs") {
    val t = "(SELECT float(id) AS x0, 1f AS x1 FROM range(5))"
    Seq(
      "b.x0 = tf_predict('linear', a.x0, a.x1)",
      "b.x0 + a.x0 = tf_predict('linear', b.x0, b.x1)",
      "b.x0 <= a.x0 AND tf_predict('linear', b.x0, a.x1) > 5"
    ).foreach { condition =>
      val error = intercept[AnalysisException](
        sql(s"SELECT x0 FROM $t a WHERE EXISTS (SELECT 1 FROM $t b WHERE $condition)")
      )
      assert(
        error.getMessage.startsWith("A model cannot be called in a condition that correlates"),
        error
      )
    }
    val inside = s"SELECT 1 FROM $t b WHERE b.x0 = a.x0 AND tf_predict('linear', b.x0, b.x1) > 6"
    assert(values(s"SELECT x0 FROM $t a WHERE EXISTS ($inside) ORDER BY x0") == Seq(3f, 4f))
    val found = s"SELECT x0 FROM $t b WHERE tf_predict('linear', b.x0, b.x1) > 6"
    assert(values(s"SELECT x0 FROM $t a WHERE x0 IN ($found) ORDER BY x0") == Seq(3f, 4f))
  }

  test("a cross join is an inner one") {
    val (a, b) =
      ("(SELECT float(id) AS x0 FROM range(3)) a", "(SELECT float(id) AS x1 FROM range(3)) b")
    val found =
      values(s"SELECT x0 + x1 FROM $a CROSS JOIN $b WHERE tf_predict('linear', x0, x1) > 6")
    assert(found == Seq(2f))
  }

  test("views, cached tables and tables made from a query") {
    sql(s"CREATE OR REPLACE TEMP VIEW scored AS SELECT id, $call AS y FROM t")
    assert(values("SELECT y FROM scored WHERE id = 2") == expected(2))
    sql(s"CACHE TABLE kept AS SELECT id, $call AS y FROM t")
    assert(values("SELECT sum(y) FROM kept") == Seq(110.0))
    sql("UNCACHE TABLE kept")
    sql("DROP TABLE IF EXISTS made")
    sql(s"CREATE TABLE made USING parquet AS SELECT features, $call AS y_preds FROM t")
    assert(values("SELECT sum(y_preds) FROM made") == Seq(110.0))
    sql(s"INSERT INTO made SELECT features, $call FROM t WHERE id = 0")
    assert(values("SELECT count(*) FROM made") == Seq(11L))
    sql("CREATE OR REPLACE VIEW lasting AS SELECT tf_predict('linear', features) AS y FROM made")
    assert(values("SELECT sum(y) FROM lasting") == Seq(112.0))
    sql("DROP VIEW lasting")
    sql("DROP TABLE made")
  }

  test("a stream of files is scored as they come") {
    val query = spark.readStream
      .schema(spark.read.parquet(parquet).schema)
      .parquet(parquet)
      .selectExpr("id", s"$call AS y")
      .writeStream
      .format("memory")
      .queryName("streamed")
      .start()
    query.processAllAvailable()
    query.stop()
    assert(values("SELECT sum(y) FROM streamed") == Seq(110.0))
  }
}
