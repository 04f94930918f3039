package io.tfspark.sql

import io.tfspark.SparkSuite
import org.apache.spark.sql.AnalysisException

/** Models that SQL registers for its own session. */
class CreateModelFunctionSuite extends SparkSuite {

  private def create(
      name: String,
      model: String,
      of: String = "tf_predict",
      how: String = "OR REPLACE"
  ) =
    sql(s"CREATE $how TEMPORARY FUNCTION $name AS '$of' USING FILE '$model'")

  private def refusal(body: => Any): String = intercept[AnalysisException](body).getMessage

  test("a registered name or a path becomes a function, and again, and goes") {
    Seq("linear", model("linear")).foreach { named =>
      create("mine", named)
      assert(values("SELECT mine(array(float(id), 1f)) FROM range(3)") == Seq(2f, 4f, 6f))
      assert(values("SELECT mine(float(id), 1) FROM range(3)") == Seq(2f, 4f, 6f))
    }
    sql("DROP TEMPORARY FUNCTION mine")
    assert(refusal(sql("SELECT mine(1f, 1f)")).contains("UNRESOLVED_ROUTINE"))
  }

  test("a signature is named behind a colon; several outputs are a struct") {
    create("both", model("pair"))
    create("one", model("pair"), of = "tf_predict:single")
    assert(values("SELECT both(id, array(1f, 2f)).sign FROM range(1)") == Seq("plus"))
    assert(values("SELECT one(id) FROM range(3, 4)") == Seq(4L))
    assert(refusal(create("other", model("pair"), of = "tf_predict:singles")).contains(
      "Did you mean 'single'?"
    ))
  }

  test("arguments are not cast to the model's types without a word") {
    create("mine", "linear")
    val rounded = "SELECT mine(array(double(id) / 3, 1D)) FROM range(2)"
    assert(values(rounded) == Seq(2f, 2 * (1d / 3).toFloat + 2f))
    assert(refusal(sql("SELECT mine(array('1', '2'))")).contains("text is not read as numbers"))
    create("next", model("pair"), of = "tf_predict:single")
    val call = "SELECT next(double(id)) FROM range(2)"
    assert(refusal(sql(call)).contains("whose values may have fractions"))
    having(BridgeConf.Narrow -> "true")(assert(values(call) == Seq(1L, 2L)))
  }

  test("options stand behind the colon as an object of texts, as Python sends them") {
    val options = """{"signature": "single", "narrow": "true", "fetch": "{\\"next\\": \\"n\\"}"}"""
    create("next", model("pair"), of = s"tf_predict:$options")
    assert(values("SELECT next(double(id)) FROM range(2)") == Seq(1L, 2L))
    assert(refusal(create("other", "linear", of = """tf_predict:{"narow": "true"}""")).contains(
      "Did you mean 'narrow'?"
    ))
  }

  test("what may not be called may not be registered, nor under a name that is taken") {
    assert(refusal(create("root", "/")).startsWith("The model '/' may not be called from SQL."))
    Seq("sum", "tf_predict", "linear").foreach { name =>
      assert(refusal(create(name, "linear")).startsWith(s"SQL has a built-in function '$name'."))
    }
    create("mine", "linear")
    assert(refusal(create("mine", "linear", how = "")).contains("OR REPLACE"))
    assert(refusal(
      sql("CREATE TEMPORARY FUNCTION none AS 'tf_predict'")
    ).contains("USING FILE 'registered name or path'"))
    assert(refusal(
      sql("CREATE FUNCTION lasting AS 'tf_predict' USING FILE 'linear'")
    ).contains("io.tfspark.hive.TfPredictUdf"))
  }
}
