package io.tfspark.jobs

import java.nio.file.{Files, Path}

import io.tfspark.error.OutputExistsException
import org.apache.commons.io.FileUtils

class ReportFileSuite extends JobSuite {

  private def words(report: Path): Seq[String] =
    Seq("--model", model("linear"), "--input", input, "--report", report.toString)

  test("a file that is not a report is not replaced") {
    val file = folder().resolve("points.csv")
    Seq("x,y\n1,2\n", "[1]", "{\"other\": 1}", "{\"run\": \"a\"}\n{\"run\": \"b\"}\n").foreach {
      text =>
        Files.writeString(file, text)
        val (message, code) =
          refusal[OutputExistsException](words(file) ++ Seq("--output", s"${folder()}/out"): _*)
        assert(
          code == 73 && message.contains(s"--report would replace $file, which is not a report.")
        )
        assert(Files.readString(file) == text)
    }
  }

  test("an empty file and an earlier report are replaced") {
    val file = Files.createFile(folder().resolve("report.json"))
    val runs = Seq.fill(2) {
      report(score(words(file) ++ Seq("--output", s"${folder()}/out"): _*)).get("run").asText
    }
    assert(runs.distinct.size == 2 && report(file.toString).get("run").asText == runs.last)
  }

  test("a part of a report is replaced, and nothing is left beside it") {
    val file = folder().resolve("report.json")
    score(words(file) ++ Seq("--output", s"${folder()}/out"): _*): Unit
    Files.writeString(file, Files.readString(file).take(200))
    val place = score(words(file) ++ Seq("--output", s"${folder()}/out"): _*)
    assert(report(place).get("rows_out").asLong == 5)
    assert(entries(file.getParent) == Seq("report.json"))
  }

  test("a run that is done does not make a removed output again") {
    val output = folder().resolve("out")
    linear(output.toString, "--run-id", "monday"): Unit
    FileUtils.deleteDirectory(output.toFile)
    assert(linear(output.toString, "--run-id", "monday") == "the report was not written")
    assert(!Files.exists(output))
    linear(output.toString, "--run-id", "tuesday"): Unit
    assert(spark.read.parquet(output.toString).count() == 5)
  }

  test("the report of a run that is done is kept, with what the record of the run lacks") {
    val output = folder().resolve("out").toString
    val file = Path.of(linear(output, "--run-id", "monday"))
    val longer = Files.readString(file).replaceFirst("\\{", "{\"statistics\": {\"rows\": 5},")
    Files.writeString(file, longer)
    assert(linear(output, "--run-id", "monday", "--mode", "append") == file.toString)
    assert(Files.readString(file) == longer)
  }
}
