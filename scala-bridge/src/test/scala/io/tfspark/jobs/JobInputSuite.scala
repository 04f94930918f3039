package io.tfspark.jobs

import java.nio.file.Files

import io.tfspark.error._
import org.apache.spark.sql.Row

/** The input of a job: formats, options of their readers, and misleading files. */
class JobInputSuite extends JobSuite {

  test("a null that would be alone in the files of CSV is refused") {
    val (csv, output) = (folder().resolve("in.csv"), folder().resolve("out").toString)
    Files.writeString(csv, "id,a,b\n0,1.0,2.0\n1,,5.0\n")
    val words = Seq("--model", model("linear"), "--input", csv.toString, "--input-format", "csv") ++
      Seq("--feed", "inputs=a,b", "--narrow", "--keep", "id", "--partition-by", "id") ++
      Seq("--output", output, "--output-format", "csv")
    assert(refusal[BindingException](words: _*)._1.contains("1 such rows"))
    score(words ++ Seq("--output-option", "nullValue=NULL"): _*)
    assert(spark.read.option("header", "true").csv(output).count() == 2)
  }

  test("names of columns and of fields of structs are resolved as Spark resolves them") {
    val in = parquet("SELECT id AS Id, named_struct('x', array(float(id), 1f)) AS s, " +
      "array(float(id), 1f) AS `a b` FROM range(3)")
    def kept(words: String*) = {
      val output = folder().resolve("out").toString
      linearOf(in)(Seq("--output", output) ++ words: _*): Unit
      val rows = spark.read.parquet(output).orderBy("outputs")
      assert(rows.select("outputs").collect().map(_.getFloat(0)).toSeq == Seq(2f, 4f, 6f))
      rows.columns.toSeq
    }
    assert(kept("--keep", "ID,`a b`", "--feed", "inputs=S.X") == Seq("Id", "a b", "outputs"))
    assert(kept("--keep", "id", "--feed", "inputs=`A b`") == Seq("Id", "outputs"))
    val bad = s"${folder()}/bad"
    val aside = kept("--keep", "iD", "--feed", "inputs=s.x", "--bad-rows", bad)
    assert(aside == Seq("Id", "outputs"))
    having("spark.sql.caseSensitive" -> "true") {
      intercept[BindingException](kept("--keep", "ID", "--feed", "inputs=s.x")): Unit
      intercept[BindingException](kept("--feed", "inputs=S.X")): Unit
    }
  }

  test("CSV has a header, and cannot hold arrays") {
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
    )._1.startsWith("CSV cannot hold 'features'"))
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

  test("a file that lacks a column is refused, or its rows have null") {
    Seq("parquet", "orc").foreach { format =>
      val rows = folder().resolve("rows").toString
      val points = "SELECT id, array(float(id), 1f) AS features, id AS other FROM range(2)"
      sql(points).coalesce(1).write.format(format).save(rows)
      sql("SELECT 9L AS id, 0L AS other").write.format(format).mode("append").save(rows)
      def scored(words: String*): Seq[Row] = {
        val output = folder().resolve("out").toString
        val base = Seq("--input-format", format, "--output", output, "--keep", "id")
        linearOf(rows)(base ++ words: _*)
        spark.read.parquet(output).orderBy("id").collect().toSeq
      }
      val error = intercept[InvalidInputException](scored())
      assert(error.getMessage.contains("lacks 'features'."), error.getMessage)
      assert(error.getMessage.contains("--allow-missing"))
      val found = scored("--allow-missing")
      assert(found == Seq(Row(0L, 2f), Row(1L, 4f), Row(9L, null)))
    }
  }

  test("a column that nothing needs may be missing, a field of a struct that is kept may not") {
    val rows = folder().resolve("rows").toString
    val points = "SELECT array(1f, 1f) AS features"
    sql(s"$points, named_struct('a', 1, 'b', 2) AS s").write.parquet(rows)
    sql(s"$points, named_struct('a', 1) AS s").write.mode("append").parquet(rows)
    val output = folder().resolve("out").toString
    linearOf(rows)("--output", output, "--keep", "features")
    val error = intercept[InvalidInputException](linearOf(rows)("--output", s"$output-2"))
    assert(error.getMessage.contains("lacks 's.b'."), error.getMessage)
  }

  test("an empty file is refused by name") {
    val rows = parquet("SELECT array(1f, 1f) AS features")
    Files.createFile(java.nio.file.Paths.get(rows, "part-empty.parquet"))
    val (message, code) = refusal[InvalidInputException](
      "--model",
      model("linear"),
      "--input",
      rows,
      "--output",
      folder().resolve("out").toString
    )
    assert(message.contains("part-empty.parquet is empty: its rows are missing.") && code == 65)
  }

  test("whole files are read as bytes") {
    val (files, output) = (folder(), folder().resolve("out").toString)
    Files.writeString(files.resolve("a.txt"), "zwei")
    score(
      "--model",
      model("words"),
      "--input",
      files.toString,
      "--input-format",
      "binaryFile",
      "--option",
      "pathGlobFilter=*.txt",
      "--feed",
      "word=content",
      "--keep",
      "length",
      "--output",
      output
    )
    assert(spark.read.parquet(output).columns.head == "length")
    assert(spark.read.parquet(output).count() == 1)
  }
}
