package io.tfspark.sql

import io.tfspark.{SparkSuite, TestModels}
import org.apache.spark.sql.{AnalysisException, Row}

/** Unusual models that TensorFlow can serve: without shapes, without rows, from 2016. */
class OddModelSuite extends SparkSuite {

  private def rows(text: String): Seq[Row] = sql(text).collect().toSeq

  private def refusal(text: String): String =
    intercept[AnalysisException](sql(text)).getMessage

  private def failure(text: String): String = messages(intercept[Exception](sql(text).collect()))

  test("a signature without shapes has those of its graph") {
    val base = TestModels.edited("linear")(TestModels.withoutShapes)
    assert(refusal(s"SELECT tf_predict('$base', 1f)").contains("may not be called"))
    having(BridgeConf.Strings -> "string") {
      val model = io.tfspark.model.ModelPackage.load(base)
      assert(model.signature().inputs.map(_.toString) == Seq("inputs: float32 (None, 2)"))
      assert(model.signature().outputs.map(_.toString) == Seq("outputs: float32 (None, 1)"))
    }
  }

  test("an output of unknown rank takes the shape that the call, or the session, gives") {
    val call = s"tf_predict('${model("open_rank")}', OPTIONS array(float(id), 1f))"
    val message = refusal(s"SELECT ${call.replace("OPTIONS", "")} FROM range(1)")
    assert(message.contains("output y: float32 unknown rank: its rank is unknown"), message)
    assert(message.contains("such as map('output_shapes', 'y=') after the model for one number"))
    val shaped = call.replace("OPTIONS", "map('output_shapes', 'y='),")
    assert(values(s"SELECT $shaped FROM range(3)") == Seq(-1f, 0f, 1f))
    having(BridgeConf.OutputShapes -> "y=;other=3,None") {
      assert(values(s"SELECT ${call.replace("OPTIONS", "")} FROM range(2)") == Seq(-1f, 0f))
    }
    val wrong = call.replace("OPTIONS", "map('output_shapes', 'y=3'),")
    assert(failure(s"SELECT $wrong FROM range(2)").contains("expected: float32 (1, 3)"))
  }

  test("an output whose first dimension is not the batch is refused, if it is fetched") {
    val path = model("labels")
    val message = refusal(s"SELECT tf_predict('$path', array(1f, 2f))")
    assert(
      message.contains(
        "output labels: string (3,): its first dimension is always 3, not the number of rows"
      ),
      message
    )
    val scores = s"tf_predict('$path', map('fetch', 'scores=s'), array(float(id), 2f))"
    assert(values(s"SELECT $scores FROM range(3)") == (0 to 2).map(id =>
      Seq(id.toFloat, 2f, id.toFloat)
    ))
  }

  test("a signature without a dimension for rows runs once for each row") {
    val call = s"tf_predict('${model("one_row")}', s, x)"
    val found = rows(
      s"SELECT $call AS y FROM VALUES ('a', 1f), ('', 2f), (null, 3f), ('b', null) AS t(s, x)"
    )
    assert(found.map(_.getStruct(0).toSeq) == Seq(
      Seq[Any](Seq(1f, -1f), "aa", 3f),
      Seq[Any](Seq(2f, -2f), "", 5f),
      Seq[Any](null, null, null),
      Seq[Any](null, null, null)
    ))
  }

  test("a scalar input beside a batch takes a constant, or groups the rows by a column") {
    val path = model("factor")
    assert(rows(s"SELECT tf_predict('$path', 3, float(id)) AS y FROM range(0, 4, 1, 1)").map(
      _.getStruct(0).toSeq
    ) == (0 to 3).map(id => Seq(4, id * 3f)))
    val grouped = s"tf_predict('$path', int(id % 2), float(id))"
    assert(rows(s"SELECT $grouped AS y FROM range(0, 5, 1, 1)").map(_.getStruct(0).toSeq) == Seq(
      Seq(3, 0f),
      Seq(2, 1f),
      Seq(3, 0f),
      Seq(2, 3f),
      Seq(3, 0f)
    ))
    val nulls = s"tf_predict('$path', if(id = 1, null, 2f), float(id))"
    assert(rows(s"SELECT $nulls.y FROM range(0, 3, 1, 1)").map(_.get(0)) == Seq[Any](0f, null, 4f))
  }

  test("a struct binds its fields by name, or makes a vector of them") {
    val (factor, linear) = (model("factor"), model("linear"))
    val expected = Seq(0f, 2f, 4f)
    Seq(
      "struct(float(id) AS x, 2 AS k, 'more' AS other)",
      "named_struct('k', 2, 'x', float(id))",
      "struct(float(id) AS X, 2 AS K)",
      "if(id < 9, named_struct('k', 2, 'x', float(id)), null)"
    ).foreach { struct =>
      assert(values(s"SELECT tf_predict('$factor', $struct).y FROM range(3)") == expected, struct)
    }
    assert(values(
      s"SELECT tf_predict('$factor', s).y FROM (SELECT if(id = 1, null, named_struct('k', 2, 'x', float(id))) AS s FROM range(2))"
    ) ==
      Seq[Any](0f, null))
    assert(values(s"SELECT tf_predict('$linear', struct(float(id), 1)) FROM range(2)") == Seq(
      2f,
      4f
    ))
    val message = refusal(s"SELECT tf_predict('$factor', struct(1f AS x, 2 AS c)) FROM range(1)")
    assert(message.contains("input k: float32 (): it is a scalar, the same for every row"), message)
    assert(failure(s"SELECT tf_predict('${model("fixed")}', struct(double(1) AS inputs))").contains(
      "expected array<float> of shape (2,), found column 'inputs' of double"
    ))
  }

  test("columns that are named like the inputs in another order are refused") {
    val table = "(SELECT 1L AS alpha, array(1f, 2f) AS beta)"
    val pair = model("pair")
    assert(values(s"SELECT tf_predict('$pair', alpha, beta).sign FROM $table") == Seq("plus"))
    assert(
      values(s"SELECT tf_predict('$pair', struct(beta, alpha)).sign FROM $table") == Seq("plus")
    )
    Seq("beta, alpha", "t.beta, Alpha", "CAST(beta AS array<double>), alpha").foreach { arguments =>
      val message = refusal(s"SELECT tf_predict('$pair', $arguments) FROM $table t")
      assert(
        message.startsWith(
          "The columns are those of signature 'serving_default', but in another order."
        ),
        message
      )
      assert(message.contains("expected: alpha, beta"))
      assert(message.contains("Hint: pass struct(alpha, beta)"))
    }
  }

  test("a model of 2016 is loaded with its checkpoint") {
    val call = s"tf_predict('${model("checkpoint_2016")}', array(float(id), 1f))"
    assert(values(s"SELECT $call FROM range(3)") == Seq(2f, 4f, 6f))
  }

  test("numbers that are too small for a normal float count as zero, as in TensorFlow's Python") {
    val call = s"tf_predict('${model("factor")}', 1, float('1.4e-41'))"
    assert(rows(s"SELECT $call.y FROM range(2)").map(_.getFloat(0)) == Seq(0f, 0f))
  }

  test("an operation without a kernel is an error of the engine that names it") {
    val message = failure(s"SELECT tf_predict('${model("no_kernel")}', float(id)) FROM range(2)")
    assert(message.contains("has no kernel for the op 'CudnnRNN'"), message)
    assert(!message.contains("the model refuses the row"), message)
  }

  test("where each row works alone, the hint says so") {
    val path = model("alone")
    val message = failure(s"SELECT tf_predict('$path', float(id)) FROM range(0, 2, 1, 1)")
    assert(
      message.contains(
        "Hint: each row works alone; score with map('batch_size', '1') after the model."
      ),
      message
    )
    val one = s"tf_predict('$path', map('batch_size', '1'), float(id))"
    assert(values(s"SELECT $one FROM range(0, 3, 1, 1)") == Seq(0f, 2f, 4f))
  }
}
