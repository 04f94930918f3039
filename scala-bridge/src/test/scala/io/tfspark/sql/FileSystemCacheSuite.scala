package io.tfspark.sql

import java.nio.file.Path

import scala.util.Try

import io.tfspark.{SparkSuite, TestModels}
import org.apache.spark.sql.SparkSession

/** Hadoop caches file systems by scheme, authority and user, and ignores their settings. A session
  * must not replace a file system of the operator by its own.
  */
class FileSystemCacheSuite extends SparkSuite {
  private val truth = Seq(2f, 4f, 6f)

  /** The answers of another session after the attacker's session has opened an authority with its
    * own settings.
    */
  private def answersAfter(
      touched: String,
      settings: (String, String)*
  )(model: String): Seq[Any] = {
    val attacker = spark.newSession()
    settings.foreach { case (name, value) => attacker.sql(s"SET `$name`=$value") }
    Try(attacker.sql(s"SELECT * FROM text.`$touched`").collect())
    assert(answers(attacker, model) == truth)
    answers(spark.newSession(), model)
  }

  private def answers(session: SparkSession, model: String): Seq[Any] =
    session.sql(s"SELECT tf_predict('$model', float(id), 1) FROM range(3)")
      .collect().toSeq.map(_.get(0))

  private def overloaded(evil: Path): Seq[(String, String)] = {
    val target = "fs.viewfs.overload.scheme.target"
    Seq(
      "fs.other.impl" -> "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
      s"$target.other.impl" -> "io.tfspark.OtherFileSystem",
      s"$target.file.impl" -> "org.apache.hadoop.fs.LocalFileSystem",
      s"fs.viewfs.mounttable.nn.link.${TestModels.folder}" -> evil.getParent.toUri.toString
    )
  }

  Seq("remote", s"other://nn${TestModels.folder}/linear").foreach { model =>
    test(s"a session's own class for a scheme does not reach $model") {
      val evil = TestModels.marker()
      val touched = s"other://nn${TestModels.folder}/linear/1/saved_model.pb"
      assert(answersAfter(touched, overloaded(evil): _*)(model) == truth)
    }
  }

  Seq("mounted", "viewfs://cluster/models/linear").foreach { model =>
    test(s"a session's own mount does not reach $model") {
      val evil = TestModels.marker()
      val link = "fs.viewfs.mounttable.cluster.link./models" -> evil.getParent.toUri.toString
      val touched = "viewfs://cluster/models/linear/1/saved_model.pb"
      assert(answersAfter(touched, link)(model) == truth)
    }
  }
}
