package io.tfspark.jobs

import java.nio.file.{Files, Paths}

import scala.jdk.CollectionConverters._

import io.tfspark.TestModels
import io.tfspark.error._
import org.apache.spark.sql.Row

/** Scores, reports and refusals of the batch job. */
class BatchScoreSuite extends JobSuite {

  test("rows are scored, kept columns stay, and the report counts them") {
    val output = folder().resolve("out").toString
    val facts = report(linear(output, "--fetch", "outputs=y", "--keep=id"))
    assert(spark.read.parquet(output).orderBy("id").collect().toSeq ==
      Seq(Row(0L, 2f), Row(1L, 4f), Row(2L, 6f), Row(3L, null), Row(4L, 10f)))
    assert(Seq("rows_in", "rows_out", "null_rows").map(facts.get(_).asInt) == Seq(5, 5, 1))
    assert(
      facts.get("model").get("digest").asText == TestModels.answers("linear").get("digest").asText
    )
    assert(facts.fieldNames.asScala.toSeq == Seq(
      "job",
      "run",
      "started",
      "model",
      "input",
      "output",
      "path",
      "rows_in",
      "rows_out",
      "null_rows",
      "bad_rows",
      "bad_rows_output",
      "rounded",
      "seconds",
      "versions"
    ))
    assert(facts.get("seconds").fieldNames.asScala.toSeq == Seq(
      "plan",
      "score",
      "publish",
      "total"
    ))
  }

  test("a dry run checks all and writes nothing") {
    val output = folder().resolve("out")
    val plan = linear(output.toString, "--dry-run")
    assert(plan.contains(
      "columns id bigint, features array<float>, outputs float"
    ) && plan.endsWith("nothing was written"))
    assert(!Files.exists(output))
  }

  test("numbers are rounded, which the report and a dry run say") {
    val path = folder().resolve("double.parquet").toString
    sql("SELECT array(double(id), 1D) AS features FROM range(2)").write.parquet(path)
    val output = folder().resolve("out").toString
    val words = Seq("--model", model("linear"), "--input", path, "--output", output)
    val sentence = "column 'features' array<double> → float32"
    assert(score(words :+ "--dry-run": _*).contains(s"rounded $sentence"))
    val facts = report(score(words: _*))
    assert(facts.get("rounded").elements.asScala.map(_.asText).toSeq == Seq(sentence))
  }

  test("nulls are filled or refused, constants and shapes are given, by flags") {
    def scored(query: String, words: String*): Seq[Row] = {
      val (path, output) = (folder().resolve("in").toString, folder().resolve("out").toString)
      sql(query).coalesce(1).write.parquet(path)
      score(Seq("--input", path, "--output", output, "--keep", "id") ++ words: _*)
      spark.read.parquet(output).orderBy("id").collect().toSeq
    }
    val gaps = "SELECT id, IF(id = 1, NULL, float(id)) AS x FROM range(3)"
    val factor = Seq("--model", model("factor"), "--fetch", "y=y")
    assert(scored(gaps, factor ++ Seq("--constant", "k=3", "--fill-null", "x=10"): _*) ==
      Seq(Row(0L, 0f), Row(1L, 30f), Row(2L, 6f)))
    val refused = intercept[Exception](
      scored(gaps, factor ++ Seq("--constant", "k=3", "--on-null", "error"): _*)
    )
    assert(
      withoutFiles(messages(
        refused
      )).contains("column 'x', row 1 of partition 0: a null, which --on-null error refuses")
    )
    val wrong =
      intercept[BindingException](scored(gaps, factor ++ Seq("--constant", "k=three"): _*))
    assert(wrong.getMessage.contains("k: float32 (): 'three' is not a constant of type float32"))
    val none = intercept[BindingException](scored(gaps, factor: _*)).getMessage
    assert(none.contains("give it a value with --constant k=VALUE"), none)
    val open = Seq("--model", model("open_rank"), "--tags", "serve")
    val points = "SELECT id, array(float(id), 1f) AS inputs FROM range(2)"
    assert(intercept[BindingException](scored(
      points,
      open: _*
    )).getMessage.contains("--output-shape y="))
    assert(scored(points, open ++ Seq("--output-shape", "y="): _*) == Seq(
      Row(0L, -1f),
      Row(1L, 0f)
    ))
  }

  test("models, inputs and bindings that are wrong are told before the job") {
    val output = folder().resolve("out").toString
    assert(refusal[InputNotFoundException](
      "--model",
      model("linear"),
      "--input",
      "/no/such",
      "--output",
      output
    )._2 == 66)
    assert(refusal[ModelNotFoundException](
      "--model",
      "/no/such",
      "--input",
      input,
      "--output",
      output
    )._2 == 65)
    assert(refusal[SignatureNotFoundException](
      "--model",
      model("pair"),
      "--signature",
      "x",
      "--input",
      input,
      "--output",
      output
    )._2 == 65)
    assert(refusal[BindingException](
      "--model",
      model("pair"),
      "--input",
      input,
      "--output",
      output
    )._1.contains("2 mismatches"))
    assert(refusal[UsageException](
      "--model",
      model("linear"),
      "--input",
      input,
      "--output",
      Paths.get(input).getParent.toString,
      "--mode",
      "overwrite"
    )._2 == 2)
    assert(!Files.exists(Paths.get(output)))
  }
}
