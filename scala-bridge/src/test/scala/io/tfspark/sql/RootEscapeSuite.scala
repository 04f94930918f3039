package io.tfspark.sql

import java.nio.file.{Files, Path}

import io.tfspark.TestModels
import io.tfspark.error.{TfsparkException, UsageException}
import org.apache.hadoop.conf.Configuration
import org.scalatest.funsuite.AnyFunSuite

/** Names of paths that try to leave a root. */
class RootEscapeSuite extends AnyFunSuite {
  private val conf = new Configuration()
  private val top: Path = Files.createTempDirectory("tfspark-escape-").toRealPath()
  private val root = Files.createDirectory(top.resolve("models"))
  private val outside = Files.createDirectory(top.resolve("models_of_others"))
  Files.createSymbolicLink(root.resolve("link"), outside)
  Files.move(TestModels.copy("linear"), root.resolve("linear"))

  private def check(path: String): Unit = ModelRoots.check(path, Seq(root.toString), Nil, conf)

  test("what is below a root may be called, however it is written") {
    Seq(
      s"$root/linear",
      s"$root/linear/1",
      s"$root/./linear/",
      s"$root/x/../linear",
      s"file:$root/linear",
      s"file://$root/linear"
    ).foreach(check)
  }

  private val escapes = Seq(
    s"$root/..",
    s"$root/../models_of_others",
    s"$root/linear/../../models_of_others",
    s"$root/x/y/../../../models_of_others",
    s"$root/link",
    s"$root/link/../..",
    s"$outside",
    s"file:$root/../models_of_others",
    s"file://$root/../models_of_others",
    "file:///etc",
    "file:/etc",
    s"FILE:$root/linear",
    s"local:$root/linear",
    s"hdfs:$root/linear",
    s"har:$root/linear",
    s"har://file-localhost$root/linear",
    s"jar:file:$root/linear!/x",
    s"http://localhost$root/linear",
    "models/linear",
    "../models/linear",
    "~/models",
    "/",
    "",
    "\u0000",
    s"$root\u0000/linear",
    s"%2e%2e$root",
    s" $root/linear"
  )

  escapes.foreach { path =>
    test(s"'${path.replace(top.toString, "TOP").replace("\u0000", "NUL")}' is refused") {
      intercept[TfsparkException](check(path)) match {
        case refusal => assert(refusal.isInstanceOf[UsageException])
      }
    }
  }

  test("signs that only URIs and globs read are parts of a name") {
    // These names are taken literally: no such folder exists below the root, and later code does
    // not decode them.
    Seq("%2e%2e/models_of_others", "*", "{a,b}", "[.][.]").foreach { name =>
      val uri = ModelRoots.qualified(s"$root/$name", conf)
      assert(uri.getPath == s"$root/$name")
    }
  }
}
