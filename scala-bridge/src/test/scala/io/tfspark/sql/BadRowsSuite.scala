package io.tfspark.sql

import io.tfspark.{ScoreOptions, TfSpark}
import io.tfspark.model.OnError
import org.apache.spark.sql.{AnalysisException, Row}
import org.apache.spark.sql.functions.col

/** Bad rows that are set aside. */
class BadRowsSuite extends PointsSuite {
  private val aside = "map('on_error', 'null', 'reason', 'why')"

  /** Row 2 has another shape, row 4 is null, row 6 has a number out of range; the model refuses
    * rows 8 and 9.
    */
  private val mixed = """SELECT id, CASE
      WHEN id = 2 THEN array(1D) WHEN id = 4 THEN NULL WHEN id = 6 THEN array(1D, 1e300D)
      WHEN id > 7 THEN array(-1D, 1D) ELSE array(double(id * id), 1D) END AS features FROM rows"""

  private def scored(options: String, from: String = s"($mixed)") =
    sql(s"SELECT id, tf_predict('${model("picky")}', $options, features) AS p FROM $from")

  private val codes = Map(
    2L -> "WRONG_SHAPE",
    6L -> "OUT_OF_RANGE",
    8L -> "MODEL_REFUSED",
    9L -> "MODEL_REFUSED"
  )

  private def outputs(rows: Seq[Row]): Seq[Any] = rows.map(_.getStruct(1).get(0))

  private def reasons(rows: Seq[Row]): Map[Long, String] =
    rows.flatMap(row =>
      Option(row.getStruct(1).getStruct(1)).map(row.getLong(0) -> _.getString(0))
    ).toMap

  private val answers = Seq[Any](1f, 2f, null, 4f, null, 6f, null, 8f, null, null)

  test("bad rows give null with a reason, by rows and by columns of Parquet") {
    val folder = java.nio.file.Files.createTempDirectory("bad").resolve("t").toString
    sql(mixed).coalesce(1).write.parquet(folder)
    spark.read.parquet(folder).createOrReplaceTempView("mixed_parquet")
    Seq(s"($mixed)", "mixed_parquet").foreach { from =>
      val frame = scored(aside, from).orderBy("id")
      assert(frame.schema("p").dataType.catalogString ==
        "struct<outputs:float,why:struct<code:string,column:string,message:string>>")
      val rows = frame.collect().toSeq
      assert(outputs(rows) == answers)
      assert(reasons(rows) == codes)
      val shape = rows(2).getStruct(1).getStruct(1)
      assert(shape.getString(1) == "argument 1")
      assert(shape.getString(2) == "expected a row of shape (2,), found (1,)")
      val refused = rows(8).getStruct(1).getStruct(1)
      assert(refused.isNullAt(1))
      assert(refused.getString(2).startsWith("the model refuses the row: "), refused)
    }
  }

  test("a column that is taken at once has its refused rows set aside, too") {
    sql("SELECT id, array(float(4 - id), 1f) AS features FROM range(0, 10, 1, 1)").write
      .mode("overwrite").saveAsTable("floats")
    val rows = scored(aside, "floats").orderBy("id").collect().toSeq
    assert(reasons(rows).keySet == Set(5L, 6L, 7L, 8L, 9L))
    assert(outputs(rows).take(5) == Seq(4, 3, 2, 1, 0).map(x => math.sqrt(x.toDouble).toFloat + 1f))
    sql("DROP TABLE floats"): Unit
  }

  test("without a reason the type stays, and the session can ask for it") {
    def plain(options: String) =
      sql(
        s"SELECT tf_predict('${model("picky")}', $options features) AS p FROM ($mixed) ORDER BY id"
      ).collect().toSeq.map(_.get(0))
    assert(plain("map('on_error', 'null'),") == answers)
    having(BridgeConf.OnErrors -> "null") {
      assert(plain("") == answers)
      assert(messages(intercept[Exception](plain("map('on_error', 'raise'),"))).contains("row 2"))
    }
  }

  test("a refused null has its own code") {
    val nulls = scored("map('on_error', 'null', 'reason', 'why', 'on_null', 'error')")
    assert(reasons(nulls.collect().toSeq) == codes + (4L -> "NULL_INPUT"))
  }

  test("values that do not fit integers say why") {
    val pair = model("pair")
    val options = "map('on_error', 'null', 'reason', 'why', 'narrow', 'true')"
    val query = s"""SELECT id, tf_predict('$pair', $options, 'single', x) AS p FROM VALUES
      (0L, 1D), (1L, 0.5D), (2L, double('NaN')), (3L, 1e20D), (4L, 3D) AS v(id, x)"""
    val rows = sql(query).orderBy("id").collect().toSeq
    assert(outputs(rows) == Seq[Any](2L, null, null, null, 4L))
    assert(reasons(rows) == Map(1L -> "FRACTION", 2L -> "NOT_A_NUMBER", 3L -> "OUT_OF_RANGE"))
  }

  test("a program asks for the same") {
    val options = ScoreOptions(onError = OnError.GiveNull(Some("why")))
    val rows = TfSpark.predict(sql(mixed), model("picky"), options = options)
      .orderBy("id").select(col("outputs"), col("why.code"), col("why.column")).collect().toSeq
    assert(rows.map(_.get(0)) == answers)
    assert(rows(2) == Row(null, "WRONG_SHAPE", "features"))
    val values = Seq[Seq[Any]](Seq(Seq(4, 1)), Seq("x"), Seq(Seq(-1, 1)))
    val found = TfSpark.predictRdd(
      spark.sparkContext.parallelize(values, 1),
      model("picky"),
      options
    ).collect().toSeq
    assert(found.map(_.head) == Seq[Any](3f, null, null))
    val why = found.map(one => Option(one(1)).map(_.asInstanceOf[Row].getString(0)))
    assert(why == Seq(None, Some("UNREADABLE"), Some("MODEL_REFUSED")))
  }

  test("a reason needs on_error, and a name that is free") {
    def refusal(options: String) = intercept[AnalysisException](scored(options)).getMessage
    assert(refusal("map('reason', 'why')").startsWith("There is no reason column"))
    assert(refusal("map('on_error', 'drop')").contains("expected: 'raise', 'null'"))
    assert(refusal("map('on_error', 'null', 'reason', '')").contains("the name of a new column"))
    assert(refusal("map('on_error', 'null', 'reason', 'Outputs')").contains(
      "reason is 'Outputs', and the column 'outputs' already exists"
    ))
  }
}
