package io.tfspark.sql

import java.nio.file.{Files, Path, Paths}

import io.tfspark.{SparkSuite, TestModels, TfSpark}
import io.tfspark.engine.NodeFolder
import org.apache.spark.sql.AnalysisException

/** Links below a root or a registered path: only targets that the operator named are allowed. */
class LinkedModelSuite extends SparkSuite {
  private val outside = SparkSuite.outside

  /** A model below a folder; one part of it is moved away and replaced by a link. */
  private def linked(top: Path, name: String, part: String, target: Path): Path = {
    val base = top.resolve(name)
    NodeFolder.delete(base)
    NodeFolder.delete(target)
    Files.move(TestModels.copy("words"), base)
    Files.createDirectories(target.getParent)
    Files.move(base.resolve(part), target)
    Files.createSymbolicLink(base.resolve(part), target)
    base
  }

  private def call(model: Any): Seq[Any] = values(s"SELECT tf_predict('$model', 'a b')")

  private def refusal(model: Any): String =
    intercept[AnalysisException](call(model)).getMessage

  private val parts =
    Seq("1", "1/saved_model.pb", "1/variables", "1/variables/variables.index", "1/assets")

  parts.foreach { part =>
    test(s"a link out of the roots is refused for $part, but not to a program") {
      val base = linked(SparkSuite.own, "escaping", part, outside.resolve("target"))
      val message = refusal(base)
      assert(message.startsWith(s"The model at $base/1 may not be called from SQL"), message)
      assert(message.contains("files below the roots"), message)
      assert(TfSpark.load(base.toString).name == "escaping")
    }

    test(s"a link from one root into another is followed for $part") {
      assert(call(linked(
        SparkSuite.own,
        "inner",
        part,
        SparkSuite.own.resolve("shared/9")
      )).size == 1)
    }

    test(s"a registered path is held to itself and the roots for $part") {
      linked(outside, "named", part, outside.resolve("target"))
      assert(refusal("named").contains("links lead out of its folder"))
      intercept[AnalysisException](sql("SELECT named('a b')"))
      val _ = linked(outside, "named", part, outside.resolve("named/kept"))
      assert(call("named").size == 1)
    }
  }

  test("a link is refused on a file system of Hadoop") {
    parts.foreach { part =>
      val base = linked(SparkSuite.own, "remote", part, outside.resolve("target"))
      val message = refusal(s"other:$base")
      assert(message.contains("link"), message)
    }
    assert(refusal(s"other:${SparkSuite.own}/remote/../../etc").contains("may not be called"))
  }

  test("a folder that leads to itself is refused at once, and so is what is no file") {
    val base = SparkSuite.own.resolve("looped")
    NodeFolder.delete(base)
    Files.move(TestModels.copy("words"), base)
    Seq("a", "b").foreach { name =>
      Files.createSymbolicLink(base.resolve("1").resolve(name), Paths.get("."))
    }
    assert(refusal(base).contains("contains itself through a link"))
    Seq("a", "b").foreach(name => Files.delete(base.resolve("1").resolve(name)))
    val device = Files.createSymbolicLink(base.resolve("1/zero"), Paths.get("/dev/zero"))
    assert(refusal(base).contains("'zero': a device, a pipe or a socket"))
    Files.delete(device)
    Files.createSymbolicLink(device, device)
    assert(refusal(base).contains("'zero': a link that leads to itself"))
  }
}
