package io.tfspark.hive

import io.tfspark.SparkSuite
import io.tfspark.sql.{TfBatchEval, TfPredict}
import org.apache.spark.sql.{AnalysisException, SparkSession}
import org.scalatest.BeforeAndAfterAll

class PermanentFunctionSuite extends SparkSuite with BeforeAndAfterAll {

  override def beforeAll(): Unit = {
    super.beforeAll()
    sql("CREATE DATABASE IF NOT EXISTS db")
    sql("DROP FUNCTION IF EXISTS db.tfpredict")
    sql("CREATE FUNCTION db.tfpredict AS 'io.tfspark.hive.TfPredictUdf'")
    sql("DROP TABLE IF EXISTS db.points")
    sql(
      """CREATE TABLE db.points STORED AS PARQUET AS
             SELECT float(id) AS x0, array(float(id), 1f) AS features, 'linear' AS word FROM range(4)"""
    ).collect()
  }

  private def inBatches(session: SparkSession, text: String): Boolean =
    session.sql(text).queryExecution.optimizedPlan.exists(_.isInstanceOf[TfBatchEval])

  test("the function lives in a second session, and runs in batches") {
    val second = spark.newSession()
    val query = "SELECT sum(db.tfpredict('linear', features)) FROM db.points"
    assert(second.sql(query).head().get(0) == 20.0)
    assert(inBatches(second, query))
    second.sql(
      "CREATE OR REPLACE VIEW db.scored AS SELECT db.tfpredict('linear', x0, 1) AS y FROM db.points"
    )
    assert(spark.newSession().sql("SELECT sum(y) FROM db.scored").head().get(0) == 20.0)
    second.sql("DROP VIEW db.scored")
  }

  test("a table says which model scores it, and users' words are held to the roots") {
    val query = "SELECT db.tfpredict(features) FROM db.points"
    assert(intercept[AnalysisException](
      sql(query)
    ).getMessage.startsWith("The function has no model."))
    sql(s"ALTER TABLE db.points SET TBLPROPERTIES ('tfspark.model' = '${model("linear")}')")
    assert(values(query).toSet == Set(2f, 4f, 6f, 8f))
    sql("ALTER TABLE db.points SET TBLPROPERTIES ('tfspark.model' = '/etc')")
    assert(intercept[AnalysisException](
      sql(query)
    ).getMessage.startsWith("The model '/etc' may not be called"))
    sql("ALTER TABLE db.points UNSET TBLPROPERTIES ('tfspark.model')")
  }

  test("row by row, as Hive's interface hands them over, gives the same") {
    val rows = Seq("linear" -> "features", "pair" -> "bigint(x0), features", "words" -> "word")
    rows.foreach { case (name, arguments) =>
      val path = if (name == "linear") name else model(name)
      val batched = values(s"SELECT tf_predict('$path', $arguments) FROM db.points ORDER BY x0")
      assert(rowByRow(path, arguments) == batched, name)
    }
    assert(rowByRow("linear", "IF(x0 = 1, NULL, features)") == Seq[Any](2f, null, 6f, 8f))
    assert(rowByRow("linear", "decimal(x0), 1BD") == Seq[Any](2f, 4f, 6f, 8f))
  }

  test("row by row, the fields of a struct feed the inputs, and an image is a struct too") {
    Seq(
      "linear" -> "struct(x0, float(1) AS x1)",
      "linear" -> "struct(features AS inputs)",
      "pair" -> "struct(features AS beta, bigint(x0) AS alpha)",
      "pixels" -> ("named_struct('origin', 'here', 'height', 2, 'width', 2, 'nChannels', 3, " +
        "'mode', 16, 'data', X'000102030405060708090a0b')")
    ).foreach { case (name, arguments) =>
      val path = if (name == "linear") name else model(name)
      val batched = values(s"SELECT tf_predict('$path', $arguments) FROM db.points ORDER BY x0")
      assert(rowByRow(path, arguments) == batched, name)
    }
  }

  /** Call Spark's wrapper of the function without the rule that would replace it by a batched call.
    */
  private def rowByRow(path: String, arguments: String): Seq[Any] = {
    val wrapped = spark.newSession()
    wrapped.sql("CREATE TEMPORARY FUNCTION one_by_one AS 'io.tfspark.OneByOne'")
    val query = wrapped.sql(s"SELECT one_by_one('$path', $arguments) FROM db.points ORDER BY x0")
    assert(!query.queryExecution.analyzed.exists(_.expressions.exists(TfPredict.isIn)))
    query.collect().toSeq.map(_.get(0))
  }
}
