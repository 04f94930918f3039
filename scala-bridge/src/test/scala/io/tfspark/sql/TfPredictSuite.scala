package io.tfspark.sql

import java.nio.file.Files

import io.tfspark.{SparkSuite, TestModels}
import org.apache.spark.sql.{AnalysisException, DataFrame}
import org.apache.spark.sql.execution.SparkPlan
import org.apache.spark.sql.execution.adaptive.{AdaptiveSparkPlanExec, QueryStageExec}
import org.scalatest.BeforeAndAfterAll

/** `tf_predict` wherever SQL has expressions. The model is 2·x0 − x1 + 3. */
class TfPredictSuite extends SparkSuite with BeforeAndAfterAll {
  private lazy val parquet = Files.createTempDirectory("tf-predict").resolve("t").toString
  private val call = "tf_predict('linear', features)"

  override def beforeAll(): Unit = {
    super.beforeAll()
    sql("""SELECT id, array(float(id), float(1)) AS features, float(id) AS x0, float(1) AS x1, id % 3 AS third
             FROM range(0, 10, 1, 1)""").createOrReplaceTempView("rows")
    sql("SELECT * FROM rows").write.parquet(parquet)
    spark.read.parquet(parquet).createOrReplaceTempView("t")
  }

  /** 2·id + 2, what the model gives for row `id`. */
  private def expected(ids: Long*): Seq[Float] = ids.map(id => 2f * id + 2f)

  private def evals(query: DataFrame): Seq[TfBatchEval] =
    query.queryExecution.optimizedPlan.collect { case eval: TfBatchEval => eval }

  private def execs(plan: SparkPlan): Seq[TfBatchEvalExec] = plan match {
    case adaptive: AdaptiveSparkPlanExec => execs(adaptive.executedPlan)
    case stage: QueryStageExec => execs(stage.plan)
    case exec: TfBatchEvalExec => exec +: exec.children.flatMap(execs)
    case other => other.children.flatMap(execs)
  }

  private def rowsScored(query: DataFrame): Long =
    execs(query.queryExecution.executedPlan).map(_.metrics("modelRows").value).sum

  test("a registered name, a path below the roots and an export dir name the same model") {
    Seq("linear", model("linear"), model("linear") + "/1", "file:" + model("linear")).foreach {
      name =>
        assert(
          values(s"SELECT tf_predict('$name', features) FROM t WHERE id < 3") == expected(0, 1, 2),
          name
        )
    }
  }

  test("a registered model is a function of its name") {
    assert(values("SELECT linear(features) FROM t LIMIT 2") == expected(0, 1))
  }

  test("a model that is called like a function of Spark's leaves that function alone") {
    assert(values("SELECT sum(id) FROM t") == Seq(45L))
    assert(values("SELECT tf_predict('sum', features) FROM t LIMIT 1") == expected(0))
  }

  test("a path above the roots is refused, also by links and dots") {
    val link = Files.createTempDirectory("links").resolve("model")
    Files.createSymbolicLink(link, io.tfspark.TestModels.folder.resolve("linear"))
    val outside = Files.createTempDirectory("outside").toString
    Seq(outside, model("linear") + "/../../../../..", "/").foreach { path =>
      val message =
        intercept[AnalysisException](sql(s"SELECT tf_predict('$path', features) FROM t")).getMessage
      assert(message.startsWith(s"The model '$path' may not be called from SQL."), message)
    }
    // A link leads to where the model is, which is below a root.
    assert(values(s"SELECT tf_predict('$link', features) FROM t LIMIT 1") == expected(0))
  }

  test("SET changes neither roots nor registered models") {
    having(BridgeConf.Roots -> "/", "spark.tfspark.model.other" -> model("linear")) {
      intercept[AnalysisException](sql("SELECT tf_predict('/', features) FROM t"))
      val message =
        intercept[AnalysisException](sql("SELECT tf_predict('other', features) FROM t")).getMessage
      assert(message.contains("a registered name ('linear', "), message)
    }
  }

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

  test("null rows, null elements and a bare NULL give null; NaN goes to the model") {
    sql(
      "SELECT * FROM VALUES (1, array(1f, 2f)), (2, NULL), (3, array(1f, NULL)), (4, array(float('NaN'), 1f)) AS v(id, features)"
    )
      .createOrReplaceTempView("gaps")
    assert(values(s"SELECT $call FROM gaps WHERE id < 4 ORDER BY id") == Seq[Any](3f, null, null))
    assert(values(s"SELECT isnan($call) FROM gaps WHERE id = 4") == Seq(true))
    val folder = Files.createTempDirectory("gaps").resolve("t").toString
    sql("SELECT * FROM gaps ORDER BY id").coalesce(1).write.parquet(folder)
    spark.read.parquet(folder).createOrReplaceTempView("gaps_parquet")
    assert(values(s"SELECT $call FROM gaps_parquet").take(3) == Seq[Any](3f, null, null))
    assert(values("SELECT tf_predict('linear', NULL) FROM t LIMIT 1") == Seq(null))
    assert(values("SELECT tf_predict('linear', x0, NULL) FROM t LIMIT 1") == Seq(null))
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
        error.getMessage.startsWith("A model cannot be called in a condition that ties"),
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

  test("a session cannot put another file system below the roots") {
    val other = Files.createTempDirectory("other")
    having(
      "fs.defaultFS" -> "viewfs://x",
      s"fs.viewfs.mounttable.x.link.${TestModels.folder}" -> other.toUri.toString
    ) {
      assert(values(s"SELECT $call FROM t LIMIT 1") == expected(0))
      assert(
        values(s"SELECT tf_predict('${model("linear")}', features) FROM t LIMIT 1") == expected(0)
      )
    }
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

  test("EXPLAIN shows model, digest and batch size; metrics count rows, batches and time") {
    val digest = io.tfspark.TestModels.answers("linear").get("digest").asText
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

  test("signatures are chosen by name; several outputs are a struct") {
    val pair = model("pair")
    assert(values(s"SELECT tf_predict('$pair', id, features).sign FROM t LIMIT 1") == Seq("plus"))
    assert(values(s"SELECT tf_predict('$pair', 'single', id) FROM t WHERE id = 3") == Seq(4L))
    val message = intercept[AnalysisException](
      sql(s"SELECT tf_predict('$pair', 'singles', id) FROM t")
    ).getMessage
    assert(
      message.contains("has no signature 'singles'") && message.contains("Did you mean 'single'?"),
      message
    )
  }

  test("what does not fit is refused at analysis, all of it at once") {
    def refusal(call: String) = intercept[AnalysisException](sql(s"SELECT $call FROM t")).getMessage
    assert(refusal(
      "tf_predict('linear', id)"
    ).contains("expected array<float> of shape (2,), found column 'argument 1' of bigint"))
    assert(refusal("tf_predict('linear', x0, x1, x0)").contains("found 3 columns"))
    assert(
      refusal(s"tf_predict('${model("pair")}', double(id), features)").contains(
        "whose values may have fractions; cast the column, or allow whole numbers with " +
          "map('narrow', 'true') behind the model, or CAST in the query"
      )
    )
    assert(refusal("tf_predict('linear', array(x0, x1, x1))").contains("found 3 columns"))
    assert(refusal("tf_predict('linear')").contains("takes another number of arguments"))
    assert(refusal("tf_predict(string(id), features)").contains("a constant string"))
    assert(refusal(
      s"tf_predict('${model("pair")}', id)"
    ).contains("in this order: alpha, beta; or struct("))
    assert(refusal(
      s"tf_predict('${io.tfspark.TestModels.folder}/none', id)"
    ).contains("There is no model folder"))
    assert(refusal(
      "transform(array(x0), x -> tf_predict('linear', x, x1))"
    ).contains("inside a lambda function"))
    assert(refusal("tf_predict('linear', current_date())").contains("of date; use unix_date("))
  }

  test("numbers are rounded without a word in the query, and one out of range names its row") {
    assert(
      values("SELECT tf_predict('linear', double(x0), int(x1)) FROM t WHERE id = 3") == expected(3)
    )
    assert(values("SELECT tf_predict('linear', id, x1 > 0) FROM t WHERE id = 3") == expected(3))
    val error =
      intercept[Exception](sql("SELECT tf_predict('linear', 1e300D * x0, x1) FROM t").collect())
    assert(
      messages(
        error
      ).contains("column 'argument 1', row 1 of partition 0: 1e+300 does not fit float32"),
      messages(error)
    )
  }

  test("fractions for integers are asked for by the session or the call") {
    val pair = model("pair")
    def next(options: String) = s"SELECT tf_predict('$pair', $options 'single', id / 2) FROM t"
    Seq("map('narrow', 'true'),", "map('narrow', true),").foreach { options =>
      assert(values(s"${next(options)} WHERE id IN (2, 4)") == Seq(2L, 3L), options)
    }
    having(BridgeConf.Narrow -> "true") {
      assert(values(s"${next("")} WHERE id = 4") == Seq(3L))
      val error = intercept[Exception](sql(next("")).collect())
      assert(messages(error).contains("0.5 does not fit int64"), messages(error))
    }
  }

  test("what becomes of a null is said by the call or the session") {
    val gaps = "(SELECT if(id = 1, null, x0) AS x0, x1 FROM t)"
    def scored(options: String) =
      values(s"SELECT tf_predict('linear', $options x0, x1) FROM $gaps LIMIT 2")
    assert(scored("") == Seq[Any](2f, null))
    assert(scored("map('on_null', '5'),") == expected(0, 5))
    assert(scored("map('on_null', 'inputs=5'),") == expected(0, 5))
    having(BridgeConf.OnNulls -> "5")(assert(scored("") == expected(0, 5)))
    having(BridgeConf.OnNulls -> "error") {
      val error = messages(intercept[Exception](scored("")))
      assert(
        error.contains("column 'argument 1', row 1 of partition 0: a null, which on_null refuses")
      )
    }
    def refusal(options: String) =
      intercept[AnalysisException](scored(s"map('on_null', $options),")).getMessage
    assert(refusal("'other=5'").startsWith("on_null names 'other', which is no input."))
    assert(refusal("'some'").contains("expected: 'null', 'error', a number, or input=value;…"))
    assert(refusal(
      "'inputs=x'"
    ).contains("on_null is 'x', which is no value for column 'argument 1' of float"))
  }

  test("an option that there is not is refused with the nearest") {
    val message = intercept[AnalysisException](
      sql("SELECT tf_predict('linear', map('batchsize', '1'), x0, x1) FROM t")
    ).getMessage
    assert(
      message.startsWith("There is no option 'batchsize'. Did you mean 'batch_size'?"),
      message
    )
  }

  test("a row of another length, and one that the model refuses, are named") {
    val ragged = intercept[Exception](
      values("SELECT tf_predict('linear', IF(id = 6, array(1f), features)) FROM t")
    )
    assert(
      messages(ragged).contains(
        "column 'argument 1', row 6 of partition 0: expected a row of shape (2,), found (1,)"
      ),
      messages(ragged)
    )
    val refused = intercept[Exception](
      values(s"SELECT tf_predict('${model("picky")}', float(5) - float(id), x1) FROM rows")
    )
    assert(
      messages(refused).contains("row 6 of partition 0: the model refuses the row"),
      messages(refused)
    )
  }

  test("a wrong setting says what is expected") {
    having(BridgeConf.BatchRows -> "none") {
      val error = intercept[Exception](sql(s"SELECT $call FROM t").collect())
      assert(messages(error).contains(
        "The setting spark.tfspark.batchSize cannot be used as given.\n  expected: a whole number of at least 1"
      ))
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
