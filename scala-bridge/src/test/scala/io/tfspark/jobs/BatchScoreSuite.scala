package io.tfspark.jobs

import java.nio.file.{Files, Path, Paths}

import scala.jdk.CollectionConverters._
import scala.util.Using

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import io.tfspark.{SparkSuite, TestModels}
import io.tfspark.error._
import org.apache.spark.sql.Row

class BatchScoreSuite extends SparkSuite {

  private def folder(): Path = Files.createTempDirectory("batch-score")

  private lazy val input: String = {
    val path = folder().resolve("in.parquet").toString
    sql(
      "SELECT id, IF(id = 3, NULL, array(float(id), 1f)) AS features FROM range(5)"
    ).write.parquet(path)
    path
  }

  private def score(words: String*): String = BatchScore.score(spark, BatchScoreFlags.parse(words))

  private def linear(output: String, words: String*): String =
    score(Seq("--model", model("linear"), "--input", input, "--output", output) ++ words: _*)

  private def refusal[E <: TfsparkException: reflect.ClassTag](words: String*): (String, Int) = {
    val error = intercept[E](score(words: _*))
    (error.getMessage, error.exitCode)
  }

  private def report(path: String): JsonNode = new ObjectMapper().readTree(Paths.get(path).toFile)

  private def entries(path: Path): Seq[String] =
    Using.resource(Files.list(path))(_.iterator.asScala.map(_.getFileName.toString).toSeq.sorted)

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

  test("an output that is there is refused, replaced or appended to") {
    val output = folder().resolve("out")
    linear(output.toString)
    assert(refusal[OutputExistsException](
      "--model",
      model("linear"),
      "--input",
      input,
      "--output",
      output.toString
    )._2 == 73)
    linear(output.toString, "--mode", "append")
    assert(spark.read.parquet(output.toString).count() == 10)
    linear(output.toString, "--mode", "overwrite")
    assert(spark.read.parquet(output.toString).count() == 5)
    assert(entries(output.getParent) == Seq("out"))
    val other = intercept[BindingException](linear(
      output.toString,
      "--mode",
      "append",
      "--fetch",
      "outputs=z"
    ))
    assert(other.getMessage.startsWith("The rows cannot be appended to the parquet at"))
  }

  test("the input may be the output") {
    val rows = folder().resolve("rows").toString
    spark.read.parquet(input).write.parquet(rows)
    score(
      "--model",
      model("linear"),
      "--input",
      rows,
      "--output",
      rows,
      "--mode",
      "overwrite"
    )
    assert(spark.read.parquet(rows).columns.toSeq == Seq("id", "features", "outputs"))
    assert(spark.read.parquet(rows).count() == 5)
  }

  test("a job that fails leaves what was there, and nothing beside it") {
    val output = folder().resolve("out")
    linear(output.toString)
    val ragged = folder().resolve("in").toString
    sql(
      "SELECT IF(id = 7, array(1f), array(1f, 2f)) AS features FROM range(0, 10, 1, 1)"
    ).write.parquet(ragged)
    val error = intercept[Exception](
      score(
        "--model",
        model("linear"),
        "--input",
        ragged,
        "--output",
        output.toString,
        "--mode",
        "overwrite"
      )
    )
    val (message, code) = Failure.of(error)
    assert(code == 65 && message.contains(
      "column 'features', row 7 of partition 0: expected a row of shape (2,), found (1,)"
    ))
    assert(spark.read.parquet(output.toString).count() == 5)
    assert(entries(output.getParent) == Seq("out"))
  }

  test("tables, Hive's included, are read and written") {
    sql("CREATE DATABASE IF NOT EXISTS jobs")
    sql("DROP TABLE IF EXISTS jobs.scores")
    spark.read.parquet(input).createOrReplaceTempView("job_input")
    def run(words: String*) =
      score(Seq(
        "--model",
        model("linear"),
        "--input-table",
        "job_input",
        "--output-table",
        "jobs.scores",
        "--report",
        folder().resolve("r.json").toString
      ) ++ words: _*)
    assert(report(run()).get("output").asText == "table jobs.scores")
    assert(intercept[OutputExistsException](run()).exitCode == 73)
    run("--mode", "append")
    assert(spark.table("jobs.scores").count() == 10)
    run("--mode", "overwrite")
    assert(spark.table("jobs.scores").count() == 5)
    assert(sql(
      "SHOW TABLES IN jobs"
    ).count() == spark.catalog.listTables().filter("isTemporary").count() + 1)
  }

  test("CSV has a header, and no place for arrays") {
    val (csv, output) = (folder().resolve("in.csv"), folder().resolve("out").toString)
    Files.writeString(csv, "a,b\n1.0,2.0\n3.0,5.0\n")
    val words = Seq(
      "--model",
      model("linear"),
      "--input",
      csv.toString,
      "--input-format",
      "csv",
      "--feed",
      "inputs=a,b",
      "--narrow"
    )
    score(words ++ Seq("--output", output, "--output-format", "csv"): _*)
    assert(spark.read.option("header", "true").csv(output).columns.toSeq == Seq(
      "a",
      "b",
      "outputs"
    ))
    assert(refusal[BindingException](
      "--model",
      model("linear"),
      "--input",
      input,
      "--output",
      output + "2",
      "--output-format",
      "csv"
    )._1.startsWith("CSV has no place for 'features'"))
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
      messages(
        refused
      ).contains("column 'x', row 1 of partition 0: a null, which --on-null error refuses")
    )
    val wrong =
      intercept[BindingException](scored(gaps, factor ++ Seq("--constant", "k=three"): _*))
    assert(wrong.getMessage.contains("input k: float32 (): 'three' is no constant of type float32"))
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

  test("a folder of a Delta or Iceberg table is not read as files, nor written into") {
    Seq(
      "_delta_log" -> "a Delta table",
      "metadata/version-hint.text" -> "an Iceberg table"
    ).foreach {
      case (mark, kind) =>
        val table = folder()
        Files.createDirectories(table.resolve(mark))
        Seq(table, table.resolve("day=1")).foreach { place =>
          val words = Seq("--model", model("linear"), "--input", place.toString, "--output")
          val (message, code) =
            refusal[InvalidInputException](words :+ folder().resolve("o").toString: _*)
          assert(
            message.startsWith(s"$place is $kind") && message.contains("--input-table"),
            message
          )
          assert(code == 65)
        }
        val out = Seq("--model", model("linear"), "--input", input, "--output", table.toString)
        assert(refusal[InvalidInputException](out: _*)._1.contains("--output-table"))
    }
  }

  test("rows are put into folders by a column, and appended to those alone") {
    val output = folder().resolve("out")
    linear(output.toString, "--fetch", "outputs=y", "--partition-by", "id", "--keep", "id")
    linear(
      output.toString,
      "--fetch",
      "outputs=y",
      "--partition-by",
      "id",
      "--keep",
      "id",
      "--mode",
      "append"
    )
    assert(entries(output).contains("id=4"))
    assert(spark.read.parquet(output.toString).where("id = 4").collect().map(_.getFloat(0)).toSeq ==
      Seq(10f, 10f))
    val error = intercept[BindingException](
      linear(output.toString, "--fetch", "outputs=y", "--keep", "id", "--mode", "append")
    )
    assert(error.getMessage.contains("choose --partition-by id."), error.getMessage)
    assert(intercept[UsageException](
      linear(folder().resolve("o").toString, "--output-option", "partitionBy=id")
    ).getMessage.contains("choose --partition-by"))
  }

  test("broken lines of CSV and JSON end the job, unless an option says otherwise") {
    val csv = Files.writeString(folder().resolve("t.csv"), "x0,x1\n1,2\n1,2,3\n").toString
    val output = folder().resolve("out").toString
    val words = Seq(
      "--model",
      model("linear"),
      "--input",
      csv,
      "--input-format",
      "csv",
      "--feed",
      "inputs=x0,x1",
      "--output",
      output
    )
    assert(messages(intercept[Exception](score(words: _*))).contains("MALFORMED"))
    score(words ++ Seq("--option", "mode=PERMISSIVE"): _*)
    assert(spark.read.parquet(output).count() == 2)
  }

  test("command lines that are wrong end with code 2") {
    val good = Seq("--model", "m", "--input", "i", "--output", "o")
    Seq(
      Seq("--input", "i", "--output", "o") -> "required: --model",
      Seq(
        "--model",
        "m",
        "--output",
        "o"
      ) -> "one of the arguments --input --input-table is required",
      (good ++ Seq("--input-table", "t")) -> "not allowed with argument --input",
      (good ++ Seq(
        "--version",
        "0"
      )) -> "argument --version: expected a whole number of at least 1, found '0'",
      (good ++ Seq("--mode", "overwrit")) ->
        "argument --mode: expected error or overwrite or append, found 'overwrit'. Did you mean 'overwrite'?",
      (good ++ Seq("--feed", "a=b", "--constant", "a=1")) ->
        "The input 'a' has both a column and a constant.",
      (good ++ Seq("--feed", "a=b", "--feed", "a=c")) -> "'a' is given twice",
      (good ++ Seq("--input", "j")) -> "argument --input: it is given twice",
      (good ++ Seq("--output-shape", "y=x")) -> "expected OUTPUT=SIZE,…, found 'y=x'",
      (good ++ Seq("--fill-null", "y")) -> "expected NAME=VALUE or NAME=",
      (good ++ Seq("--fill-null", "y=0", "--on-null", "error")) ->
        "argument --fill-null: not allowed with argument --on-null",
      (good ++ Seq("--feed", "a=b,,c")) -> "expected COLUMN[,COLUMN…]",
      (good ++ Seq("--keep")) -> "expected one argument",
      (good ++ Seq(
        "--fill-nul",
        "a=b"
      )) -> "there is no flag --fill-nul. Did you mean '--fill-null'?",
      (good ++ Seq("nope")) -> "unrecognized arguments: nope"
    ).foreach { case (words, message) =>
      val error = intercept[UsageException](BatchScoreFlags.parse(words))
      assert(error.getMessage.contains(message) && error.exitCode == 2)
    }
    assert(BatchScoreFlags.help.contains("--feed INPUT=COLUMN[,COLUMN…]"))
  }
}
