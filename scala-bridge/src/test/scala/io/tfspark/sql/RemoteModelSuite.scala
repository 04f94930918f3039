package io.tfspark.sql

import java.net.URI
import java.nio.file.{Files, Path}

import io.tfspark.{ScoreOptions, SparkSuite, TestModels, TfSpark}
import io.tfspark.engine.NodeFolder
import io.tfspark.model.ModelPackage
import org.apache.hadoop.conf.Configuration
import org.apache.spark.sql.AnalysisException

/** Models on one of Hadoop's file systems; TensorFlow itself never opens it. */
class RemoteModelSuite extends SparkSuite {
  private lazy val conf: Configuration = HadoopConf.of(spark)
  private val linear = s"other:${TestModels.path("linear")}"

  test("a remote model is scored, from a copy under its digest") {
    assert(values(s"SELECT tf_predict('$linear', float(id), 1) FROM range(3)") == Seq(2f, 4f, 6f))
    val located = ModelCatalog.at(linear, ScoreOptions(), conf)
    assert(located.remote.contains(
      s"$linear/1"
    ) && located.model.name == "linear" && located.model.version.contains(1L))
    assert(located.model.path == NodeFolder.root.resolve(located.model.digest).toString)
    assert(located.model.digest == TestModels.answers("linear").get("digest").asText)
    assert(ModelCatalog.at(s"$linear/1", ScoreOptions(), conf) == located)
  }

  test("a remote path is held to the roots, and said not to be there") {
    val message =
      intercept[AnalysisException](sql("SELECT tf_predict('other:/tmp', 1f, 2f)")).getMessage
    assert(message.startsWith("The model 'other:/tmp' may not be called from SQL."))
    val none =
      intercept[AnalysisException](sql(s"SELECT tf_predict('${linear}x', 1f, 2f)")).getMessage
    assert(none.startsWith(s"There is no SavedModel in ${linear}x."), none)
  }

  test("a model that was exported again is read again, without a stale answer") {
    val base = TestModels.copy("linear")
    val other = s"other:$base"
    val first = ModelCatalog.at(other, ScoreOptions(), conf)
    Files.move(TestModels.copy("fixed").resolve("1"), base.resolve("2"))
    assert(ModelCatalog.at(other, ScoreOptions(), conf).model.digest != first.model.digest)
    assert(ModelCatalog.at(other, ScoreOptions(Some(1L)), conf) == first)
    touch(base.resolve("1/fingerprint.pb"))
    assert(TfSpark.load(base.toString, Some(1L)).digest != first.model.digest)
  }

  test("paths are below a root by their parts, not by their letters") {
    def check(path: String, root: String) = ModelRoots.check(path, Seq(root), Nil, conf)
    check("other:/a/b/model", "other:/a/b")
    check("other:/a/b", "other:/a/b/")
    Seq("other:/a/bc", "other:/a/b/../c", "/a/b", "other://host/a/b/model").foreach { path =>
      intercept[Exception](check(path, "other:/a/b"))
    }
    assert(ModelRoots.qualified("other:/a/../b", conf) == new URI("other:/b"))
  }

  private def touch(file: Path): Unit = {
    Files.write(file, "x".getBytes)
    assert(ModelPackage.load(file.getParent).size > 0)
  }
}
