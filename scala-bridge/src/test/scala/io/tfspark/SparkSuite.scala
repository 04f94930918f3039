package io.tfspark

import java.nio.file.{Files, Path}

import org.apache.spark.sql.{DataFrame, SparkSession}
import org.scalatest.funsuite.AnyFunSuite

/** A test that uses the shared Spark session of the run. */
trait SparkSuite extends AnyFunSuite {
  lazy val spark: SparkSession = SparkSuite.session

  def sql(text: String): DataFrame = spark.sql(text)

  /** The single column of a query. */
  def values(text: String): Seq[Any] = sql(text).collect().toSeq.map(_.get(0))

  /** Base path of a test model. */
  def model(name: String): String = TestModels.path(name)

  /** Run with settings of the session. */
  def having[A](settings: (String, String)*)(body: => A): A = {
    settings.foreach { case (key, value) => spark.conf.set(key, value) }
    try body
    finally settings.foreach { case (key, _) => spark.conf.unset(key) }
  }

  /** The errors of rows in a text, without the files that the rows come from. */
  def withoutFiles(text: String): String = text.replaceAll(", from [^\\s:]+: ", ": ")

  /** The message of an exception and of all its causes. */
  def messages(error: Throwable): String =
    Iterator.iterate(error)(
      _.getCause
    ).takeWhile(Option(_).isDefined).map(_.getMessage).mkString("\n")
}

object SparkSuite {

  /** A root with models that the tests write. */
  val own: Path = Files.createTempDirectory("tfspark-root-").toRealPath()

  /** A folder outside of the roots. */
  val outside: Path = Files.createTempDirectory("tfspark-outside-").toRealPath()

  lazy val session: SparkSession = {
    val home = Files.createTempDirectory("tfspark-spark-")
    SparkSession
      .builder()
      .master("local[2]")
      .appName("tfspark bridge tests")
      .config("spark.ui.enabled", "false")
      .config("spark.sql.shuffle.partitions", "2")
      .config("spark.sql.session.timeZone", "UTC")
      .config("spark.sql.warehouse.dir", home.resolve("warehouse").toString)
      .config(
        "javax.jdo.option.ConnectionURL",
        s"jdbc:derby:;databaseName=$home/metastore;create=true"
      )
      .config(
        "spark.tfspark.model.roots",
        s"${TestModels.folder},other:${TestModels.folder},other://nn${TestModels.folder}," +
          s"viewfs://cluster/models,$own,other:$own"
      )
      .config(
        "spark.hadoop.fs.viewfs.mounttable.cluster.link./models",
        TestModels.folder.toUri.toString
      )
      .config("spark.tfspark.model.remote", s"other://nn${TestModels.folder}/linear")
      .config("spark.tfspark.model.named", s"$outside/named")
      .config("spark.tfspark.model.mounted", "viewfs://cluster/models/linear")
      .config("spark.hadoop.fs.other.impl", classOf[OtherFileSystem].getName)
      .config("spark.tfspark.model.pinned", TestModels.path("linear"))
      .config(
        "spark.tfspark.model.pinned.sha256",
        TestModels.answers("linear").get("digest").asText
      )
      .config("spark.tfspark.model.mispinned", TestModels.path("linear"))
      .config("spark.tfspark.model.mispinned.sha256", "0" * 64)
      .config("spark.tfspark.model.linear", TestModels.path("linear"))
      .config("spark.tfspark.model.sum", TestModels.path("linear"))
      .enableHiveSupport()
      .getOrCreate()
  }
}
