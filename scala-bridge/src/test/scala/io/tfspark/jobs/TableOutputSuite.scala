package io.tfspark.jobs

import java.nio.file.{Files, Path, Paths}

import io.tfspark.error._
import io.tfspark.jobs.commit.{HiddenFolder, TableRecord}
import org.apache.hadoop.fs
import org.scalatest.BeforeAndAfterEach

/** Tables that Spark keeps as files: their folder is committed, their definition never changes. */
class TableOutputSuite extends JobSuite with BeforeAndAfterEach {

  override def beforeEach(): Unit = sql("CREATE DATABASE scores")

  override def afterEach(): Unit = sql("DROP DATABASE scores CASCADE")

  private def scored(table: String, mode: String, words: String*): String = {
    val target = Seq("--output-table", table, "--mode", mode, "--keep", "id")
    linearOf(input)(target ++ Seq("--report", s"${folder()}/report.json") ++ words: _*)
  }

  private def refused[E <: TfsparkException: reflect.ClassTag](words: String*): (String, Int) =
    refusal[E](Seq("--model", model("linear"), "--input", input, "--keep", "id") ++ words: _*)

  private def home: Path =
    Paths.get(java.net.URI.create(spark.catalog.getDatabase("scores").locationUri))

  private def tables: Seq[String] =
    sql("SHOW TABLES IN scores").where("NOT isTemporary").collect().toSeq.map(_.getString(1))

  private def ids(table: String): Seq[Any] = values(s"SELECT id FROM $table ORDER BY id")

  private def definition(table: String): Seq[String] =
    values(s"SHOW CREATE TABLE $table").mkString.linesIterator.toSeq
      .filterNot(_.contains("lastDdlTime"))

  test("a table is created, refused, appended to and overwritten") {
    assert(report(scored("scores.y", "error")).get("output").asText == "table scores.y")
    assert(spark.catalog.getTable("scores.y").tableType == "MANAGED")
    assert(refused[OutputExistsException]("--output-table", "scores.y")._2 == 73)
    scored("scores.y", "append"): Unit
    assert(ids("scores.y").size == 10)
    scored("scores.y", "overwrite"): Unit
    assert(ids("scores.y") == (0L until 5L))
    assert(tables == Seq("y") && entries(home) == Seq("y"))
  }

  test("an overwritten table keeps partitions, comments, properties, format and place") {
    val place = s"${folder().toRealPath()}/there"
    Seq(
      "kept" -> "USING orc PARTITIONED BY (id)",
      "outside" -> s"USING json OPTIONS (compression 'gzip') PARTITIONED BY (id) LOCATION '$place'",
      "hive" -> "PARTITIONED BY (id) STORED AS ORC"
    ).foreach { case (name, kind) =>
      val columns = "(outputs FLOAT COMMENT 'a score', id BIGINT)"
      sql(s"CREATE TABLE scores.$name $columns $kind COMMENT 'ours' TBLPROPERTIES ('team' = 'x')")
      sql(s"INSERT INTO scores.$name VALUES (1f, 7), (2f, 8)")
      val before = definition(s"scores.$name")
      scored(s"scores.$name", "append"): Unit
      assert(ids(s"scores.$name") == Seq(0L, 1L, 2L, 3L, 4L, 7L, 8L), name)
      scored(s"scores.$name", "overwrite"): Unit
      assert(ids(s"scores.$name") == (0L until 5L), name)
      assert(sql(s"SHOW PARTITIONS scores.$name").count() == 5)
      assert(definition(s"scores.$name") == before)
      assert(values(s"SELECT outputs FROM scores.$name WHERE id = 1") == Seq(4f))
    }
    assert(tables.sorted == Seq("hive", "kept", "outside"))
    assert(entries(home) == Seq(
      "hive",
      "kept"
    ) && entries(Paths.get(place).getParent) == Seq("there"))
  }

  test("a new table has the partitions of the job") {
    scored("scores.y", "error", "--partition-by", "id"): Unit
    assert(sql("SHOW PARTITIONS scores.y").count() == 5 && ids("scores.y") == (0L until 5L))
    val other = Seq("--output-table", "scores.y", "--partition-by", "outputs", "--mode", "append")
    assert(refused[UsageException](other: _*)._1.contains("keeps its partitions"))
  }

  test("a table keeps its format and its options, and no row of CSV is a blank line") {
    sql("CREATE TABLE scores.y (outputs FLOAT, id BIGINT) USING csv PARTITIONED BY (id)")
    val target = Seq("--output-table", "scores.y", "--mode", "append")
    def said(words: String*) = refused[UsageException](target ++ words: _*)._1
    assert(said("--output-format", "orc").contains("keeps its format"))
    assert(said("--output-option", "header=true").contains("keeps its options"))
    assert(refused[BindingException](target: _*)._1.contains("1 such rows"))
    assert(ids("scores.y").isEmpty)
  }

  test("a run id that is done is not run again") {
    def run() = report(scored("scores.y", "append", "--run-id", "monday")).get("run")
    assert(run() == run())
    assert(ids("scores.y") == (0L until 5L) && Recover(spark, "scores.y").isEmpty)
  }

  test("what cannot be is refused before a task") {
    Files.createFile(Files.createDirectories(home.resolve("taken")).resolve("file"))
    val (taken, code) = refused[OutputExistsException]("--output-table", "scores.taken")
    assert(taken.contains("exists and is not empty") && code == 73)
    assert(refused[UsageException]("--output-table", "none.y")._1.contains("There is no schema"))
    assert(refused[UsageException](
      "--output-table",
      "a.b.c"
    )._1.contains("There is no catalog 'a'"))
    assert(refused[UsageException]("--output-table", "`a b`")._1.contains("cannot be the name"))
    sql("CREATE VIEW scores.v AS SELECT 1 AS id")
    assert(refused[OutputExistsException]("--output-table", "scores.v")._1.contains("is a view"))
    scored("scores.y", "error"): Unit
    val other = Seq("--output-table", "scores.y", "--mode", "overwrite", "--fetch", "outputs=z")
    val (columns, _) = refused[BindingException](other: _*)
    assert(columns.contains("To give a table other columns, drop it first."), columns)
    sql("CREATE TABLE scores.p (outputs FLOAT, id BIGINT) USING parquet PARTITIONED BY (id)")
    sql(s"ALTER TABLE scores.p ADD PARTITION (id = 1) LOCATION '${folder()}'")
    val elsewhere = refused[UsageException]("--output-table", "scores.p", "--mode", "append")._1
    assert(elsewhere.contains("A partition of the table scores.p is not in the table's folder."))
  }

  test("a job that fails leaves neither rows nor a staged table") {
    sql("CREATE TABLE scores.there (features ARRAY<FLOAT>, outputs FLOAT) USING parquet")
    val ragged = parquet(
      "SELECT IF(id = 7, array(1f), array(1f, 2f)) AS features FROM range(0, 10, 1, 1)"
    )
    Seq("new", "there").foreach { name =>
      intercept[Exception](linearOf(ragged)("--output-table", s"scores.$name", "--mode", "append"))
    }
    assert(spark.table("scores.there").count() == 0)
    assert(tables == Seq("there") && entries(home) == Seq("there"))
  }

  private def planned(words: String*): Plan = {
    val all = Seq("--model", model("linear"), "--input", input, "--keep", "id") ++ words
    Plan.of(spark, BatchScoreFlags.parse(all), "run-1")
  }

  test("jobs on the folder and on the table exclude each other, and finish a dead one") {
    val plan = planned("--output-table", "scores.y")
    assert(plan.output.begin(plan.job).isEmpty)
    plan.output.stage(plan.rows)
    assert(tables == Seq("y__tfspark_run_1"))
    val place = home.resolve("y").toString
    Seq("--output-table" -> "scores.y", "--output" -> place).foreach { case (flag, there) =>
      assert(refused[OutputBusyException](flag, there)._2 == 75)
    }
    die(place)
    linear(place): Unit
    assert(tables.isEmpty && entries(home) == Seq("y"))
  }

  test("a table that was decided is shown by the next job or by a recovery") {
    val plan = planned("--output-table", "scores.y", "--partition-by", "id")
    assert(plan.output.begin(plan.job).isEmpty)
    plan.output.stage(plan.rows)
    sql("ALTER TABLE scores.y__tfspark_run_1 RENAME TO scores.away")
    val error = intercept[OutputBusyException](plan.output.publish(commit.Json.node()))
    assert(error.getMessage.contains("cannot finish it") && plan.output.isDecided)
    sql("ALTER TABLE scores.away RENAME TO scores.y__tfspark_run_1")
    assert(tables == Seq("y__tfspark_run_1"))
    die(home.resolve("y").toString)
    assert(Recover(spark, "scores.y") == Seq("run-1"))
    assert(ids("scores.y") == (0L until 5L) && tables == Seq("y"))
    val record = TableRecord("`scores`.`y`", s"file:${home.resolve("y")}", Seq("id"))
    new SessionTables(spark, new fs.Path(s"file:${home.resolve("y")}")).show(record, "append")
    assert(ids("scores.y") == (0L until 5L))
    scored("scores.y", "error", "--partition-by", "id"): Unit // already done
    assert(entries(home) == Seq("y"))
  }

  test("a recovery drops and creates no table that no job has staged") {
    sql("CREATE TABLE scores.customers USING parquet AS SELECT 1 AS id")
    sql("CREATE TABLE scores.x__tfspark_y USING parquet AS SELECT 1 AS id")
    val names =
      Seq("scores.customers PURGE", "`scores`.`customers`", "`scores`.`x__tfspark_y`", "")
    names.foreach { name =>
      val output = folder().resolve("out")
      val work = Files.createDirectories(Path.of(HiddenFolder(output.toString).work("A1")))
      Files.writeString(work.resolve("table"), name): Unit
      val error = intercept[OutputBusyException](Recover(spark, output.toString))
      assert(error.getMessage.contains("names a table that no job has staged"), error.getMessage)
    }
    val place = new fs.Path(s"file:${folder()}/out")
    Seq(
      TableRecord("`scores`.`customers`", "file:/elsewhere"),
      TableRecord("`scores`.`customers`", ""),
      TableRecord("`scores`.`customers` PURGE", place.toString),
      TableRecord("`scores`.`new`", place.toString, Nil, "`scores`.`x__tfspark_y`"),
      TableRecord("`scores`.`customers`", place.toString, Nil, "scores.customers")
    ).foreach { record =>
      val error =
        intercept[OutputBusyException](new SessionTables(spark, place).show(record, "append"))
      assert(error.getMessage.contains("names a table that no job has staged"), error.getMessage)
    }
    assert(tables.toSet == Set("customers", "x__tfspark_y"))
    assert(spark.table("scores.x__tfspark_y").count() == 1)
  }

  test("a view of the table is refused if another job has appended to it since the planning") {
    scored("scores.y", "error"): Unit
    val more = parquet("SELECT id, array(float(id), 1f) AS features FROM range(10)")
    sql(s"CREATE VIEW scores.todo AS SELECT * FROM parquet.`$more` " +
      "WHERE id NOT IN (SELECT id FROM scores.y)")
    val words = Seq("--model", model("linear"), "--input-table", "scores.todo", "--keep", "id") ++
      Seq("--output-table", "scores.y", "--mode", "append", "--report", s"${folder()}/report.json")
    val job = BatchScoreFlags.parse(words)
    def prepared() = new Execution(spark, job, Plan.of(spark, job, Report.begin().run))
    val late = prepared()
    prepared().run(Report.begin()): Unit
    val error = intercept[OutputBusyException](late.run(Report.begin()))
    assert(error.exitCode == 75 && error.getMessage.contains("have changed since the query"))
    assert(ids("scores.y") == (0L until 10L))
    score(words: _*): Unit // plans again, and finds nothing to do
    assert(ids("scores.y") == (0L until 10L))
  }

  /** Let the owner of the lock of an output be a process that has ended. */
  private def die(output: String): Unit = {
    val hidden = Paths.get(HiddenFolder(output).path)
    entries(hidden).filter(name => name.startsWith("lock-") || name.startsWith("beat-"))
      .map(hidden.resolve).foreach { file =>
        val text =
          Files.readString(file).replaceAll("\"started\" : \"[0-9]+\"", "\"started\" : \"0\"")
        Files.writeString(file, text)
      }
  }
}
