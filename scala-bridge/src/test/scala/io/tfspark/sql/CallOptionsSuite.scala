package io.tfspark.sql

import java.nio.file.Files

import io.tfspark.TestModels
import org.apache.spark.sql.AnalysisException

/** Inputs, options, settings and refusals of a call. */
class CallOptionsSuite extends PointsSuite {

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
          "map('narrow', 'true') after the model, or CAST in the query"
      )
    )
    assert(refusal("tf_predict('linear', array(x0, x1, x1))").contains("found 3 columns"))
    assert(refusal("tf_predict('linear')").contains("takes another number of arguments"))
    assert(refusal("tf_predict(string(id), features)").contains("a constant string"))
    assert(refusal(
      s"tf_predict('${model("pair")}', id)"
    ).contains("in this order: alpha, beta; or struct("))
    assert(refusal(
      s"tf_predict('${TestModels.folder}/none', id)"
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
      withoutFiles(messages(
        error
      )).contains("column 'argument 1', row 1 of partition 0: 1.0E300 does not fit float32"),
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
      val error = withoutFiles(messages(intercept[Exception](scored(""))))
      assert(
        error.contains("column 'argument 1', row 1 of partition 0: a null, which on_null refuses")
      )
    }
    def refusal(options: String) =
      intercept[AnalysisException](scored(s"map('on_null', $options),")).getMessage
    assert(refusal("'other=5'").startsWith("on_null names 'other', which is not an input."))
    assert(refusal("'some'").contains("expected: 'null', 'error', a number, or input=value;…"))
    assert(refusal(
      "'inputs=x'"
    ).contains("on_null is 'x', which does not fit column 'argument 1' of float"))
  }

  test("an option that is null is refused, and so is a map that is null") {
    def refusal(options: String) = intercept[AnalysisException](
      sql(s"SELECT tf_predict('linear', $options, x0, x1) FROM t")
    ).getMessage
    assert(
      refusal("map('on_null', CAST(NULL AS STRING))").startsWith("The option on_null is null.")
    )
    assert(refusal("CAST(NULL AS MAP<STRING, STRING>)").startsWith("The options are null."))
  }

  test("two calls with other fills are two calls, even if the fills are both zeros") {
    def call(fill: String) = s"tf_predict('${model("alone")}', map('on_null', '$fill'), x)"
    val query = s"SELECT ${call("0.0")}, ${call("-0.0")} FROM VALUES (CAST(NULL AS FLOAT)) AS v(x)"
    val row = sql(query).head()
    assert(Seq(0, 1).map(row.getFloat(_).toString) == Seq("0.0", "-0.0"))
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
      withoutFiles(messages(ragged)).contains(
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
        "The setting spark.tfspark.batchSize has an invalid value.\n  expected: a whole number of at least 1"
      ))
    }
  }
}
