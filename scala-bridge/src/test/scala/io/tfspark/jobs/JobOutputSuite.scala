package io.tfspark.jobs

import java.nio.file.{Files, Path}

import io.tfspark.error._
import org.apache.commons.io.FileUtils

/** The output of a job: a folder that appears completely, or not at all. */
class JobOutputSuite extends JobSuite {

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
    assert(other.getMessage.startsWith("The rows do not have the columns of the parquet at"))
  }

  test("an output may have the characters of a glob") {
    Seq("out[1]", "out{a,b}", "out*").foreach { name =>
      val output = folder().resolve(name).toString
      Seq(1, 2).foreach(_ => linear(output, "--mode", "append"))
      assert(Files.list(Path.of(output)).filter(_.toString.endsWith(".parquet")).count() >= 2, name)
    }
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
    assert(code == 65 && withoutFiles(message).contains(
      "column 'features', row 7 of partition 0: expected a row of shape (2,), found (1,)"
    ))
    assert(spark.read.parquet(output.toString).count() == 5)
    assert(entries(output.getParent) == Seq("out"))
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

  test("an append to a partition on another disk is refused before the decision") {
    val (output, memory) = (folder().resolve("out"), Path.of("/dev/shm"))
    assume(Files.isDirectory(memory) && Files.getFileStore(memory) != Files.getFileStore(
      output.getParent
    ))
    val words = Seq("--partition-by", "id", "--mode", "append")
    linear(output.toString, words: _*)
    val disk = Files.createTempDirectory(memory, "partition")
    try {
      FileUtils.deleteDirectory(output.resolve("id=1").toFile)
      Files.createSymbolicLink(output.resolve("id=1"), disk)
      val error = intercept[UsageException](linear(output.toString, words: _*))
      assert(error.getMessage.contains("out/id=1; nothing is published"), error.getMessage)
      assert(spark.read.parquet(output.toString).count() == 4)
      assert(entries(output.getParent) == Seq("out") && entries(disk).isEmpty)
    } finally FileUtils.deleteDirectory(disk.toFile)
  }

  test("an output that cannot be created is refused before the input is read") {
    val file = Files.createFile(folder().resolve("file"))
    val words = Seq("--model", model("linear"), "--input", "/no/such/input")
    val (message, code) =
      refusal[OutputExistsException](words ++ Seq("--output", s"$file/out"): _*)
    assert(message.contains(s"cannot be created: file:$file is a file."), message)
    assert(code == 73)
    val output = folder().resolve("out").toString
    val report = Seq("--output", output, "--report", s"$file/report.json")
    assert(refusal[OutputExistsException](words ++ report: _*)._1.contains("is a file."))
  }

  test("a second job on a folder is refused, and a failure removes what was staged") {
    val output = folder().resolve("out")
    val words = Seq("--model", model("linear"), "--input", input, "--output", output.toString)
    val plan = Plan.of(spark, BatchScoreFlags.parse(words), "run")
    assert(plan.output.begin(plan.job).isEmpty)
    plan.output.stage(plan.rows)
    assert(entries(output.getParent) == Seq(".out.tfspark"))
    val (message, code) = refusal[OutputBusyException](words: _*)
    assert(code == 75 && message.contains("found:    run run, process"), message)
    plan.output.discard()
    assert(entries(output.getParent).isEmpty)
  }

  test("a run id that is done is not run again: the old report is written again") {
    val output = folder().resolve("out")
    def run() = report(linear(output.toString, "--mode", "append", "--run-id", "monday"))
    val (first, again) = (run(), run())
    // All fields except the time of the publication.
    Seq("run", "started", "model", "rows_in", "rows_out", "versions").foreach(fact =>
      assert(again.get(fact) == first.get(fact))
    )
    assert(spark.read.parquet(output.toString).count() == 5)
    assert(Recover(spark, output.toString).isEmpty)
  }

  test("the digest of a job tells settings, models and files apart") {
    val words = Seq("--model", model("linear"), "--input", input, "--output", "out")
    def key(words: Seq[String]) = Plan.of(spark, BatchScoreFlags.parse(words), "run").job
    assert(key(words) == key(words ++ Seq("--report", folder().resolve("r").toString)))
    val other = Seq(
      words ++ Seq("--keep", "id"),
      words ++ Seq("--partition-by", "id"),
      words ++ Seq("--option", "mergeSchema=true"),
      words.updated(3, parquet("SELECT id, array(float(id), 1f) AS features FROM range(5)"))
    )
    assert((words +: other).map(key).distinct.size == 5)
  }
}
