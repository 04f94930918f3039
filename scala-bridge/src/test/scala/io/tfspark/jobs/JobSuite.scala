package io.tfspark.jobs

import java.nio.file.{Files, Path, Paths}

import scala.jdk.CollectionConverters._
import scala.util.Using

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import io.tfspark.SparkSuite
import io.tfspark.error.TfsparkException

/** A test that runs the batch job in the shared Spark session. */
trait JobSuite extends SparkSuite {

  /** Ids with their points; the fourth point is null. */
  lazy val input: String = parquet(
    "SELECT id, IF(id = 3, NULL, array(float(id), 1f)) AS features FROM range(5)"
  )

  def folder(): Path = Files.createTempDirectory("batch-score")

  /** A Parquet folder with the rows of a query. */
  def parquet(query: String): String = {
    val path = folder().resolve("in.parquet").toString
    sql(query).coalesce(1).write.parquet(path)
    path
  }

  def score(words: String*): String = BatchScore.score(spark, BatchScoreFlags.parse(words))

  /** Score with the model 2·x0 − x1 + 3. */
  def linear(output: String, words: String*): String =
    linearOf(input)(Seq("--output", output) ++ words: _*)

  def linearOf(input: String)(words: String*): String =
    score(Seq("--model", model("linear"), "--input", input) ++ words: _*)

  /** The message and the exit code of a job that is refused before it runs. */
  def refusal[E <: TfsparkException: reflect.ClassTag](words: String*): (String, Int) = {
    val error = intercept[E](score(words: _*))
    (error.getMessage, error.exitCode)
  }

  def report(path: String): JsonNode = new ObjectMapper().readTree(Paths.get(path).toFile)

  def entries(path: Path): Seq[String] =
    Using.resource(Files.list(path))(_.iterator.asScala.map(_.getFileName.toString).toSeq.sorted)
}
