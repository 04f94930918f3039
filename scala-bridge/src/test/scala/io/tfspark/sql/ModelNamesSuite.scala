package io.tfspark.sql

import java.nio.file.Files

import io.tfspark.TestModels
import org.apache.spark.sql.AnalysisException

/** The models that a query may name, and the forms of their names. */
class ModelNamesSuite extends PointsSuite {

  test("a registered name, a path below the roots and an export dir name the same model") {
    Seq("linear", model("linear"), model("linear") + "/1", "file:" + model("linear")).foreach {
      name =>
        assert(
          values(s"SELECT tf_predict('$name', features) FROM t WHERE id < 3") == expected(0, 1, 2),
          name
        )
    }
  }

  test("a registered model is a function of its name") {
    assert(values("SELECT linear(features) FROM t LIMIT 2") == expected(0, 1))
  }

  test("a model that is called like a function of Spark's leaves that function alone") {
    assert(values("SELECT sum(id) FROM t") == Seq(45L))
    assert(values("SELECT tf_predict('sum', features) FROM t LIMIT 1") == expected(0))
  }

  test("a path above the roots is refused, also by links and dots") {
    val link = Files.createTempDirectory("links").resolve("model")
    Files.createSymbolicLink(link, TestModels.folder.resolve("linear"))
    val outside = Files.createTempDirectory("outside").toString
    Seq(outside, model("linear") + "/../../../../..", "/").foreach { path =>
      val message =
        intercept[AnalysisException](sql(s"SELECT tf_predict('$path', features) FROM t")).getMessage
      assert(message.startsWith(s"The model '$path' may not be called from SQL."), message)
    }
    // The target of the link is below a root.
    assert(values(s"SELECT tf_predict('$link', features) FROM t LIMIT 1") == expected(0))
  }

  test("SET changes neither roots nor registered models") {
    having(BridgeConf.Roots -> "/", "spark.tfspark.model.other" -> model("linear")) {
      intercept[AnalysisException](sql("SELECT tf_predict('/', features) FROM t"))
      val message =
        intercept[AnalysisException](sql("SELECT tf_predict('other', features) FROM t")).getMessage
      assert(message.contains("a registered name ('linear', "), message)
    }
  }

  test("a session cannot put another file system below the roots") {
    val other = Files.createTempDirectory("other")
    having(
      "fs.defaultFS" -> "viewfs://x",
      s"fs.viewfs.mounttable.x.link.${TestModels.folder}" -> other.toUri.toString
    ) {
      assert(values(s"SELECT $call FROM t LIMIT 1") == expected(0))
      assert(
        values(s"SELECT tf_predict('${model("linear")}', features) FROM t LIMIT 1") == expected(0)
      )
    }
  }
}
