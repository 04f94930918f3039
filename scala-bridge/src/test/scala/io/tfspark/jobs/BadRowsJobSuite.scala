package io.tfspark.jobs

import java.nio.file.{Files, Path}

import com.fasterxml.jackson.databind.node.ObjectNode
import io.tfspark.error._
import org.apache.spark.sql.Row

/** The job sets bad rows aside: good and bad rows together are the input. */
class BadRowsJobSuite extends JobSuite {

  /** Twenty rows: every fifth is bad, and one is null. */
  private lazy val mixed: String = parquet("""SELECT id, CASE WHEN id = 3 THEN NULL
    WHEN id % 5 = 1 THEN array(1f) ELSE array(float(id), 1f) END AS features, string(id) AS name
    FROM range(0, 20, 1, 1)""")

  private def scored(home: Path, words: String*): String =
    linearOf(mixed)(Seq("--output", s"$home/out", "--bad-rows", s"$home/bad") ++ words: _*)

  private def rows(path: Any): Seq[Row] =
    spark.read.parquet(path.toString).orderBy("id").collect().toSeq

  private def ids(path: Any): Seq[Long] = rows(path).map(_.getAs[Long]("id"))

  private val bad = Seq(1L, 6L, 11L, 16L)

  test("good and bad rows are the input, and the report counts both") {
    val home = folder()
    val counts = report(scored(home, "--keep", "id"))
    assert(Seq("rows_in", "rows_out", "bad_rows", "null_rows").map(counts.get(_).asLong) ==
      Seq(20L, 16L, 4L, 1L))
    assert(counts.get("bad_rows_output").asText == s"$home/bad")
    assert(spark.read.parquet(s"$home/out").columns.toSeq == Seq("id", "outputs"))
    assert(spark.read.parquet(s"$home/bad").columns.toSeq ==
      Seq("id", "features", "name", "_reason", "_input_file"))
    assert(ids(s"$home/bad") == bad)
    assert((ids(s"$home/out") ++ bad).sorted == (0L until 20L))
    val first = rows(s"$home/bad").head
    val message = "expected a row of shape (2,), found (1,)"
    assert(first.getAs[Row]("_reason") == Row("WRONG_SHAPE", "features", message))
    assert(first.getAs[String]("_input_file").contains(mixed))
    assert(entries(home) == Seq("bad", "out"))
  }

  test("too many bad rows publish nothing") {
    Seq("3" -> "at most 3", "19%" -> "at most 19%").foreach { case (limit, words) =>
      val home = folder()
      val error = intercept[RowException](scored(home, "--max-bad-rows", limit))
      assert(error.exitCode == 65)
      assert(error.getMessage.contains("4 of 20 rows") && error.getMessage.contains(words))
      assert(entries(home).isEmpty)
    }
  }

  test("an append adds to both folders, and a table has its bad rows in a folder") {
    val home = folder()
    scored(home): Unit
    scored(home, "--mode", "append", "--max-bad-rows", "20%"): Unit
    assert((ids(s"$home/out").size, ids(s"$home/bad").size) == ((32, 8)))
    val places = Seq("--output-table", "good_rows", "--bad-rows", s"$home/others")
    linearOf(mixed)(places ++ Seq("--report", s"$home/report.json"): _*): Unit
    assert(spark.table("good_rows").count() == 16)
    assert(ids(s"$home/others") == bad)
    sql("DROP TABLE good_rows"): Unit
  }

  test("what cannot be is refused before a task") {
    def refused[E <: TfsparkException: reflect.ClassTag](input: String, words: String*) =
      refusal[E](Seq("--model", model("linear"), "--input", input) ++ words: _*)
    val out = s"${folder()}/out"
    val beside = "Bad rows need a folder that is not the output's"
    Seq(out -> beside, s"$out/bad" -> beside, mixed -> "which the job reads").foreach {
      case (place, problem) =>
        val (message, code) =
          refused[UsageException](mixed, "--output", out, "--bad-rows", place, "--mode", "append")
        assert(code == 2 && message.contains(problem))
    }
    val other = parquet("SELECT 1 AS other")
    val (exists, existing) =
      refused[OutputExistsException](mixed, "--output", out, "--bad-rows", other)
    assert(existing == 73 && exists.contains(s"The folder for bad rows exists: $other."))
    assert(exists.contains("choose another --bad-rows, or --mode overwrite, or --mode append"))
    val (lone, _) = refused[UsageException](mixed, "--output", out, "--max-bad-rows", "3")
    assert(lone.contains("--max-bad-rows has no effect"))
    val taken = parquet("SELECT array(1f, 2f) AS features, 'x' AS _INPUT_FILE")
    val (name, code) = refused[BindingException](taken, "--output", out, "--bad-rows", s"$out-bad")
    assert(code == 65 && name.contains("Bad rows get a column '_INPUT_FILE'"))
  }

  /** A plan, and a report for its journal. */
  private def planned(home: Path, mode: String): (Plan, ObjectNode) = {
    val words = Seq("--model", model("linear"), "--input", mixed, "--output", s"$home/out")
    val job = BatchScoreFlags.parse(words ++ Seq("--bad-rows", s"$home/bad", "--mode", mode))
    val begun = Report.begin()
    (Plan.of(spark, job, begun.run), begun.account.document)
  }

  test("bad rows are withdrawn when the output cannot be shown") {
    val home = folder()
    val (plan, account) = planned(home, "error")
    assert(plan.transaction.begin(plan.job).isEmpty)
    plan.stage()
    Files.createDirectory(home.resolve("out"))
    intercept[OutputExistsException](plan.transaction.publish(account)): Unit
    plan.transaction.discard()
    assert(entries(home) == Seq("out"))
  }

  Seq("the same command" -> Nil, "another job" -> Seq("--batch-size", "2")).foreach {
    case (next, other) =>
      test(s"bad rows without an output are withdrawn by $next") {
        val home = folder()
        val (plan, account) = planned(home, "append")
        assert(plan.transaction.begin(plan.job).isEmpty)
        plan.stage()
        plan.bad.foreach(_.output.publish(account))
        plan.transaction.discard() // as after an interrupt, it keeps the record of the bad rows
        assert(ids(s"$home/bad") == bad)
        scored(home, Seq("--mode", "append") ++ other: _*): Unit
        assert(ids(s"$home/bad") == bad)
        assert(ids(s"$home/out").size == 16)
        assert(entries(home) == Seq("bad", "out"))
      }
  }

  test("another job keeps the bad rows of a job with an output") {
    val home = folder()
    val (plan, account) = planned(home, "append")
    assert(plan.transaction.begin(plan.job).isEmpty)
    plan.stage()
    plan.transaction.publish(account)
    plan.transaction.discard() // the records stay until the job has reported
    scored(home, "--mode", "append", "--batch-size", "2"): Unit
    assert((ids(s"$home/out").size, ids(s"$home/bad").size) == ((32, 8)))
  }

  test("a job that ends after both outputs is not run again") {
    val home = folder()
    val (plan, account) = planned(home, "append")
    assert(plan.transaction.begin(plan.job).isEmpty)
    plan.stage()
    plan.transaction.publish(account)
    plan.transaction.discard() // the records stay until the job has reported
    scored(home, "--mode", "append"): Unit
    assert((ids(s"$home/out").size, ids(s"$home/bad").size) == ((16, 4)))
    assert(entries(home) == Seq("bad", "out"))
  }

  test("if the bad rows cannot be acknowledged, the output is unlocked and keeps its record") {
    val home = folder()
    val (plan, account) = planned(home, "append")
    assert(plan.transaction.begin(plan.job).isEmpty)
    plan.stage()
    plan.transaction.publish(account)
    val hidden = home.resolve(".bad.tfspark")
    val record = hidden.resolve(entries(hidden).filter(_.startsWith("done-")).head)
    Files.delete(record) // it cannot be deleted as a folder with a file
    Files.createFile(Files.createDirectory(record).resolve("file"))
    intercept[java.io.IOException](plan.transaction.acknowledge()): Unit
    assert(entries(home.resolve(".out.tfspark")).map(_.takeWhile(_ != '-')) == Seq("done"))
  }

  test("a limit is a number or a share") {
    assert(BadRowLimit.of("10").map(_.toString).contains("10"))
    assert(BadRowLimit.of("0.5%").map(_.toString).contains("0.5%"))
    Seq("", "-1", "101%", "1.5", "many").foreach(text => assert(BadRowLimit.of(text).isEmpty, text))
  }
}
