package io.tfspark.jobs

import java.net.URI
import java.nio.file.Files

import scala.sys.process._

import io.tfspark.error.UsageException
import io.tfspark.sql.HadoopConf
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{Path, RawLocalFileSystem}

/** This machine's disk as a file system with a name; `first` and `second` are one service. */
final class NamedFileSystem extends RawLocalFileSystem {
  private var uri = super.getUri
  override def initialize(name: URI, conf: Configuration): Unit = {
    uri = name
    super.initialize(name, conf)
  }
  override def getUri: URI = Option(uri).getOrElse(super.getUri) // not yet initialised
  override def getScheme: String = uri.getScheme
  override protected def checkPath(path: Path): Unit = ()
  override def getCanonicalServiceName: String =
    if (uri.getAuthority == "third") "third" else "10.0.0.1:8020"
}

/** A job that would change the rows that it reads is refused before any task. */
class OwnInputSuite extends JobSuite {

  private def refused(words: String*): String = {
    val (message, code) = refusal[UsageException](Seq("--model", model("linear")) ++ words: _*)
    assert(code == 2, message)
    message
  }

  private lazy val conf = {
    val conf = HadoopConf.of(spark)
    for (scheme <- Seq("swebhdfs", "store"))
      conf.set(s"fs.$scheme.impl", classOf[NamedFileSystem].getName)
    conf
  }

  private def isRefused(output: Path, input: String, mode: String): Boolean =
    try {
      OwnInput.refuse(output, Seq(input), mode, conf)
      false
    } catch { case error: UsageException => error.getMessage.contains("would change") }

  test("an output that is, contains or is inside the input is refused") {
    val home = folder().toRealPath()
    Files.createSymbolicLink(home.resolve("link"), java.nio.file.Path.of("out/in"))
    val place = new Path(s"file:$home/out")
    Seq(
      "out" -> true,
      "out/in" -> true,
      "out/part-*" -> true,
      "" -> true,
      "link" -> true,
      "out-2" -> false,
      "in" -> false
    ).foreach { case (input, wanted) =>
      val read = s"$home/$input"
      Seq("append", "overwrite").foreach(mode =>
        assert(isRefused(place, read, mode) == wanted, input)
      )
      assert(!isRefused(place, read, "error"))
    }
  }

  test("an input by another mount is refused") {
    val home = folder().toRealPath()
    Files.createDirectories(home.resolve("first/out/in"))
    Files.createDirectory(home.resolve("first/in"))
    val (first, second) = (home.resolve("first"), Files.createDirectory(home.resolve("second")))
    val output = new Path(s"file:$second/out")
    assume(Seq("mount", "--bind", s"$first", s"$second").!(ProcessLogger(_ => ())) == 0)
    try
      Seq("out" -> true, "out/in" -> true, "" -> true, "in" -> false).foreach {
        case (input, wanted) =>
          assert(isRefused(output, first.resolve(input).toString, "overwrite") == wanted, input)
          val files = Seq(first.resolve(input).resolve("part-0").toUri.toString)
          def check() = OwnInput.refuseFiles(output, Seq(Source(files)), "overwrite")
          if (input.startsWith("out")) intercept[UsageException](check()): Unit else check()
      }
    finally assert(Seq("umount", "--lazy", s"$second").! == 0)
  }

  test("an input by another name of HDFS is refused, but not one in another container of a store") {
    val home = folder().toRealPath()
    val output = new Path(s"swebhdfs://first$home/out")
    Seq("out" -> true, "out/in" -> true, "" -> true, "in" -> false).foreach {
      case (input, wanted) =>
        Seq("second", "first").foreach { name =>
          val read = s"swebhdfs://$name$home/$input".stripSuffix("/")
          assert(isRefused(output, read, "overwrite") == wanted, input)
        }
    }
    assert(!isRefused(output, s"swebhdfs://third$home/out", "overwrite"))
    val container = new Path(s"store://first$home/out")
    assert(isRefused(container, s"store://first$home", "overwrite"))
    assert(!isRefused(container, s"store://second$home", "overwrite"))
  }

  test("a folder of the input, of a link to it, or of a view is no output of a job") {
    val home = folder()
    val link = Files.createSymbolicLink(home.resolve("link"), java.nio.file.Path.of(input))
    def overwritten(words: String*) = refused(words ++ Seq("--mode", "overwrite"): _*)
    Seq(input, s"$input/scores", link.toString).foreach { output =>
      assert(overwritten("--input", input, "--output", output).contains("which the job reads"))
    }
    assert(overwritten("--input", s"$link/*.parquet", "--output", input).contains("would change"))
    spark.read.parquet(input).createOrReplaceTempView("own_rows")
    sql("SELECT * FROM own_rows WHERE id IN (SELECT id FROM own_rows)")
      .createOrReplaceTempView("some_own_rows")
    Seq("own_rows", "some_own_rows").foreach { view =>
      assert(overwritten("--input-table", view, "--output", input).contains("change files in"))
    }
    assert(spark.read.parquet(input).count() == 5)
  }

  test("a table that is read is no output") {
    sql("CREATE DATABASE own")
    try {
      sql(s"CREATE TABLE own.t USING parquet AS SELECT * FROM parquet.`$input`")
      sql("CREATE TEMPORARY VIEW all_of_t AS SELECT * FROM own.t")
      val place = new Path(spark.catalog.getDatabase("own").locationUri, "t").toString
      Seq(
        Seq("--input-table", "own.t", "--output-table", "OWN.T", "--mode", "overwrite"),
        Seq("--input-table", "own.t", "--output-table", "own.t", "--mode", "append"),
        Seq("--input-table", "own.t", "--output", place, "--mode", "append"),
        Seq("--input-table", "all_of_t", "--output-table", "own.t", "--mode", "overwrite")
      ).foreach(words => assert(refused(words: _*).contains("Hint: ")))
    } finally {
      sql("DROP VIEW IF EXISTS all_of_t")
      sql("DROP DATABASE own CASCADE")
    }
  }

  test("the files of the target do not identify a job that appends to it") {
    val output = s"${folder()}/out"
    linear(output)
    sql(s"CREATE OR REPLACE TEMPORARY VIEW with_target AS SELECT a.* FROM parquet.`$input` a " +
      s"LEFT JOIN parquet.`$output` b ON a.id = b.id")
    def key() = {
      val words = Seq("--model", model("linear"), "--input-table", "with_target")
      val all = words ++ Seq("--output", output, "--mode", "append")
      Plan.of(spark, BatchScoreFlags.parse(all), "run").job
    }
    val before = key()
    linear(output, "--mode", "append")
    assert(key() == before)
  }

  test("an input without a state makes each run a job of its own, unless it has an id") {
    sql("SELECT array(rand(), 1d) AS features FROM range(2)").createOrReplaceTempView("by_chance")
    val rows = spark.sparkContext.parallelize(Seq(1L, 2L))
    spark.createDataset(rows)(org.apache.spark.sql.Encoders.scalaLong)
      .selectExpr("array(float(value), 1f) AS features").createOrReplaceTempView("of_program")
    def isOfOneRun(words: String*) = {
      val all = Seq("--model", model("linear"), "--output", s"${folder()}/out") ++ words
      Plan.of(spark, BatchScoreFlags.parse(all), "run").job.isOfOneRun
    }
    assert(isOfOneRun("--input-table", "of_program"))
    assert(!isOfOneRun("--input-table", "of_program", "--run-id", "monday"))
    assert(!isOfOneRun("--input-table", "by_chance") && !isOfOneRun("--input", input))
  }
}
