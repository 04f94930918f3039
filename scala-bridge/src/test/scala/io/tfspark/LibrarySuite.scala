package io.tfspark

import scala.util.Using

import io.tfspark.error._
import org.apache.spark.sql.Row

/** The four steps of the library, as in the examples of the README: driver, RDD, DataFrame, SQL. */
class LibrarySuite extends SparkSuite {

  test("a model is described and run on the driver, by feed and fetch") {
    assert(TfSpark.load(model("linear")).signature().inputs.map(_.name) == Seq("inputs"))
    Using.resource(TfSpark.open(model("linear"))) { linear =>
      val rows = Seq[Any](Seq(1, 2), Seq(3.0, 5.0), Array(7f, 8f))
      assert(linear.feed(
        "inputs",
        rows
      ).fetch("outputs").run() == Map("outputs" -> Seq(3f, 4f, 9f)))
      assert(linear.feed("inputs", Nil).run() == Map("outputs" -> Nil))
    }
  }

  test("a model that is closed refuses a run, and a second close leaves other users alone") {
    Using.resource(TfSpark.open(model("linear"))) { other =>
      val closed = TfSpark.open(model("linear"))
      val run = closed.feed("inputs", Seq(Seq(1, 2)))
      closed.close()
      closed.close()
      assert(intercept[EngineException](run.run()).getMessage.contains("was closed"))
      assert(other.feed("inputs", Seq(Seq(1, 2))).run() == Map("outputs" -> Seq(3f)))
    }
  }

  test("several feeds, several outputs, another signature") {
    Using.resource(TfSpark.open(model("pair"))) { pair =>
      val run = pair.feed("alpha", Seq(2, -3)).feed("beta", Seq(Seq(1, 2), Seq(0.5, 4)))
      assert(run.run() == Map(
        "product" -> Seq(Seq(2f, 4f), Seq(-1.5f, -12f)),
        "sign" -> Seq("plus", "minus")
      ))
      assert(run.fetch("sign").run().keySet == Set("sign"))
    }
    Using.resource(TfSpark.open(model("pair"), ScoreOptions(signature = "single"))) { single =>
      assert(single.feed("alpha", Seq(41L)).run() == Map("next" -> Seq(42L)))
    }
  }

  test("feeds that do not fit are refused, all at once, and a value that would change is too") {
    Using.resource(TfSpark.open(model("pair"))) { pair =>
      val message = intercept[BindingException](pair.feed("alphas", Seq(1)).run()).getMessage
      assert(message.startsWith("Signature 'serving_default' does not fit the feeds: 3 mismatches"))
      assert(message.contains("Did you mean 'alpha'?"))
    }
    Using.resource(TfSpark.open(model("linear"))) { linear =>
      val text = intercept[RowException](linear.feed("inputs", Seq(Seq("a", "b"))).run()).getMessage
      assert(text.contains("column 'inputs', row 0: expected array<float>, found a (String)"))
      assert(linear.feed("inputs", Seq(Seq(16777217, 0))).run() ==
        Map("outputs" -> Seq(33554436f)))
      val wide = intercept[RowException](linear.feed(
        "inputs",
        Seq(Seq(1, 2), Seq(1e39, 0))
      ).run()).getMessage
      assert(wide.contains("row 1: expected float, found 1.0E39 (Double), which does not fit"))
      assert(intercept[RowException](linear.feed(
        "inputs",
        Seq(Seq(1))
      ).run()).getMessage.contains("found (1,)"))
    }
  }

  test("an RDD is scored by broadcast and mapPartitions") {
    val rows = spark.sparkContext.parallelize(
      Seq[Seq[Any]](Seq(Seq(1, 2)), Seq(Seq(3, 5)), Seq(null), Seq(Seq(8, 3))),
      2
    )
    assert(TfSpark.predictRdd(
      rows,
      model("linear")
    ).map(_.head).collect().toSeq == Seq[Any](3f, 4f, null, 16f))
    val small = TfSpark.predictRdd(
      rows.filter(_.head != null),
      model("linear"),
      ScoreOptions(batchSize = Some(1))
    )
    assert(small.map(_.head).collect().toSeq == Seq[Any](3f, 4f, 16f))
  }

  test("of an RDD no more rows are held than one run takes") {
    val taken = spark.sparkContext.longAccumulator
    val rows = spark.sparkContext.parallelize(1 to 100, 1).map { _ =>
      taken.add(1)
      Seq[Any](Seq(1, 2))
    }
    val scored = TfSpark.predictRdd(rows, model("linear"), ScoreOptions(batchSize = Some(10)))
    assert(scored.mapPartitions(_.take(11)).map(_.head).collect().toSeq == Seq.fill[Any](11)(3f))
    assert(taken.value == 20)
  }

  test("a DataFrame keeps its columns and gains the predictions") {
    val df = sql("SELECT id, float(id) AS height, 1f AS `wei.ght` FROM range(3)")
    val scored = TfSpark.predict(
      df,
      model("linear"),
      Map("inputs" -> Seq("height", "wei.ght")),
      Seq("outputs" -> "y"),
      Some(Seq("id"))
    )
    assert(scored.columns.toSeq == Seq("id", "y"))
    assert(scored.collect().toSeq == Seq(Row(0L, 2f), Row(1L, 4f), Row(2L, 6f)))
    val pair = sql("SELECT id AS alpha, array(1f, 2f) AS beta FROM range(2)")
    val both = TfSpark.predict(pair, model("pair"))
    assert(both.columns.toSeq == Seq("alpha", "beta", "product", "sign"))
    assert(both.collect().map(_.getString(3)).toSeq == Seq("plus", "plus"))
    val message = intercept[BindingException](TfSpark.predict(df, model("pair"))).getMessage
    assert(message.contains("2 mismatches") && message.contains(
      "no column of that name and no feed for it"
    ))
    assert(intercept[BindingException](TfSpark.predict(
      df,
      model("linear"),
      keep = Some(Seq("ids"))
    )).getMessage.contains("Did you mean 'id'?"))
  }

  test("a model is registered under a name that SQL calls, on Hive tables too") {
    TfSpark.register(spark, "tfpredict", model("linear"))
    sql("DROP TABLE IF EXISTS hive_points")
    sql(
      "CREATE TABLE hive_points STORED AS ORC AS SELECT array(float(id), 1f) AS features FROM range(3)"
    )
    assert(values("SELECT tfpredict(features) AS y_preds FROM hive_points ORDER BY 1") == Seq(
      2f,
      4f,
      6f
    ))
    TfSpark.register(
      spark,
      "renamed",
      model("pair"),
      Seq("sign" -> "s"),
      ScoreOptions(signature = "serving_default")
    )
    assert(values("SELECT renamed(id, array(1f, 2f)) FROM range(1)") == Seq("plus"))
    sql("DROP TABLE hive_points")
  }
}
