package io.tfspark.engine

import java.nio.file.{Files, Paths}

import io.tfspark.TestModels
import io.tfspark.error.InvalidModelException
import io.tfspark.model.{ModelFiles, ModelPackage}
import org.scalatest.funsuite.AnyFunSuite

class PackedModelSuite extends AnyFunSuite {
  private val model = ModelPackage.load(Paths.get(TestModels.path("words")))

  test("a packed model unpacks to the same digest") {
    val folder = Files.createTempDirectory("unpacked")
    PackedModel.of(Paths.get(model.path)).unpack(folder)
    assert(ModelFiles.digest(folder) == model.digest)
  }

  test("a node's folder is filled once, and again when files are missing") {
    val packed = PackedModel.of(Paths.get(model.path))
    def fill() = NodeFolder.of(model.digest, model.size)(packed.unpack)
    NodeFolder.delete(NodeFolder.root.resolve(model.digest))
    assert(ModelFiles.digest(fill()) == model.digest)
    assert(NodeFolder.of(model.digest, model.size)(_ => fail("filled twice")) == fill())
    Files.delete(fill().resolve("saved_model.pb"))
    assert(ModelFiles.digest(fill()) == model.digest)
  }

  test("files that are not those of the digest are refused") {
    val other = PackedModel.of(Paths.get(TestModels.path("linear"), "1"))
    val error = intercept[InvalidModelException](NodeFolder.of("0" * 64, 12)(other.unpack))
    assert(error.getMessage.contains("is not the one that the driver read"))
    assert(!Files.exists(NodeFolder.root.resolve("0" * 64)))
  }

  test("a packed model writes nothing outside of its folder") {
    val evil = PackedModel(Seq("../evil" -> Seq(Array[Byte](1))))
    intercept[InvalidModelException](evil.unpack(Files.createTempDirectory("evil")))
  }
}
