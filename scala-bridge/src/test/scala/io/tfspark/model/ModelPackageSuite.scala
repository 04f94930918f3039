package io.tfspark.model

import java.nio.file.{Files, Path, Paths}

import io.tfspark.TestModels
import io.tfspark.error._
import org.scalatest.funsuite.AnyFunSuite

class ModelPackageSuite extends AnyFunSuite {

  TestModels.answers.foreach { case (name, answers) =>
    test(s"the digest of $name is Python's") {
      val model = ModelPackage.load(Paths.get(TestModels.path(name)))
      assert(model.digest == answers.get("digest").asText)
      assert(model.name == name && model.version.contains(1L))
    }
  }

  test("a signature is read with names, types and shapes, sorted by name") {
    val signature = ModelPackage.load(Paths.get(TestModels.path("pair"))).signature()
    assert(signature.inputs.map(_.toString) == Seq(
      "alpha: int64 (None,)",
      "beta: float32 (None, 2)"
    ))
    assert(signature.outputs.map(_.sql) == Seq("array<float>", "string"))
    assert(signature.describe.startsWith(
      "signature 'serving_default'\n  inputs:\n    alpha: int64 (None,), in Spark bigint"
    ))
  }

  test("the newest version counts unless one is chosen") {
    val base = TestModels.copy("linear")
    val second = Files.move(TestModels.copy("linear").resolve("1"), base.resolve("12"))
    assert(ModelPackage.load(base).path == second.toString)
    assert(ModelPackage.load(base, Some(1L)).version.contains(1L))
    assert(refusal[ModelNotFoundException](
      base,
      Some(7L)
    ).contains("expected: one of the versions 1, 12"))
  }

  test("a missing variables.index is named, and not handed to native code") {
    val base = TestModels.copy("linear")
    Files.delete(base.resolve("1/variables/variables.index"))
    val message = refusal[InvalidModelException](base)
    assert(
      message.contains("is incomplete: 1 file is missing.\n  expected: 'variables/variables.index'")
    )
  }

  test("a missing asset is named") {
    val base = TestModels.copy("words")
    Files.delete(base.resolve("1/assets/vocabulary.txt"))
    assert(refusal[InvalidModelException](base).contains("'assets/vocabulary.txt'"))
  }

  test("a cut-off file, an empty folder and no folder are told apart") {
    val cut = TestModels.copy("linear")
    val file = cut.resolve("1/saved_model.pb")
    Files.write(file, Files.readAllBytes(file).take(1000))
    assert(refusal[InvalidModelException](cut).contains("1000 bytes that do not parse"))
    assert(refusal[ModelNotFoundException](
      Files.createTempDirectory("empty")
    ).startsWith("There is no SavedModel in"))
    assert(refusal[ModelNotFoundException](
      Paths.get("/no/such")
    ).startsWith("There is no model folder at /no/such."))
  }

  test("an unknown signature or tag set says what there is") {
    val model = ModelPackage.load(Paths.get(TestModels.path("pair")))
    val message = intercept[SignatureNotFoundException](model.signature("singles")).getMessage
    assert(message.contains("found:    'serving_default', 'single'") && message.contains(
      "Did you mean 'single'?"
    ))
    val tags = intercept[SignatureNotFoundException](ModelPackage.load(
      Paths.get(TestModels.path("pair")),
      tags = Seq("gpu")
    ))
    assert(tags.getMessage.contains("has no graph with the tag set 'gpu'.\n  found:    'serve'"))
  }

  private def refusal[E <: TfsparkException: reflect.ClassTag](
      path: Path,
      version: Option[Long] = None
  ): String =
    intercept[E](ModelPackage.load(path, version)).getMessage
}
