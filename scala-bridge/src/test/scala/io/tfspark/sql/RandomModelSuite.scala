package io.tfspark.sql

import io.tfspark.{TestModels, TfSpark}
import org.apache.spark.sql.AnalysisException

/** A model that adds a random number to the answers of each run. */
class RandomModelSuite extends PointsSuite {

  override def beforeAll(): Unit = {
    super.beforeAll()
    TfSpark.register(spark, "noisy", TestModels.random("linear", 1).toString)
  }

  test("a call in a WITH clause is evaluated once, however often its result is used") {
    val rows = sql(
      "WITH c AS (SELECT id, noisy(features) AS y FROM t) SELECT a.y, b.y FROM c a JOIN c b USING (id)"
    ).collect()
    assert(rows.length == 10 && rows.forall(row => row.getFloat(0) == row.getFloat(1)))
  }

  test("a call of a subquery is evaluated once, and each call of a query by itself") {
    val filtered = sql("SELECT y, y AS z FROM (SELECT noisy(features) AS y FROM t) WHERE y > 0")
    assert(filtered.collect().forall(row => row.getFloat(0) == row.getFloat(1)))
    assert(evals(filtered).map(_.calls.size) == Seq(1))
    val two = sql("SELECT noisy(features), noisy(features) FROM t")
    assert(two.collect().forall(row => row.getFloat(0) != row.getFloat(1)))
  }

  test("orders and groups take it, and an aggregate function takes the result of a subquery") {
    assert(values("SELECT id FROM t ORDER BY noisy(features) DESC LIMIT 2") == Seq(9L, 8L))
    assert(sql("SELECT count(*) FROM t GROUP BY noisy(features)").count() == 10)
    assert(values("SELECT count(y) FROM (SELECT noisy(features) AS y FROM t)") == Seq(10L))
    assert(values("SELECT noisy(features) > 100 FROM t WHERE id = 1") == Seq(false))
    val error = intercept[AnalysisException](sql("SELECT max(noisy(features)) FROM t"))
    assert(error.getMessage.contains("AGGREGATE_FUNCTION_WITH_NONDETERMINISTIC_EXPRESSION"))
  }
}
