package io.tfspark.engine

import java.nio.file.{Files, Path, Paths}

import io.tfspark.{SparkSuite, TestModels}
import io.tfspark.error.InvalidModelException
import io.tfspark.model.{ModelFiles, ModelPackage}

class PackedModelSuite extends SparkSuite {
  private val model = ModelPackage.load(Paths.get(TestModels.path("words")))

  private def packed(exportDir: Path) = PackedModel.of(exportDir, spark.sparkContext)

  test("a packed model unpacks to the same digest") {
    val folder = Files.createTempDirectory("unpacked")
    packed(Paths.get(model.path)).unpack(folder)
    assert(ModelFiles.digest(folder) == model.digest)
  }

  test("a file larger than a piece comes back in one") {
    val folder = Files.createTempDirectory("large")
    val bytes = Array.tabulate((16 << 20) + 5)(_.toByte)
    Files.write(folder.resolve("weights"), bytes)
    val sent = packed(folder)
    assert(sent.files.map(_._2.map(_.value.length)) == Seq(Seq(16 << 20, 5)))
    sent.unpersist()
    val back = Files.createTempDirectory("unpacked")
    sent.unpack(back)
    assert(Files.readAllBytes(back.resolve("weights")).sameElements(bytes))
  }

  test("a node's folder is filled once, and again when files are missing") {
    val files = packed(Paths.get(model.path))
    def fill() = NodeFolder.of(model.digest, model.size)(files.unpack)
    NodeFolder.delete(NodeFolder.root.resolve(model.digest))
    assert(ModelFiles.digest(fill()) == model.digest)
    assert(NodeFolder.of(model.digest, model.size)(_ => fail("filled twice")) == fill())
    Files.delete(fill().resolve("saved_model.pb"))
    assert(ModelFiles.digest(fill()) == model.digest)
  }

  test("files that are not those of the digest are refused") {
    val other = packed(Paths.get(TestModels.path("linear"), "1"))
    val error = intercept[InvalidModelException](NodeFolder.of("0" * 64, 12)(other.unpack))
    assert(error.getMessage.contains("is not the one that the driver read"))
    assert(!Files.exists(NodeFolder.root.resolve("0" * 64)))
  }

  test("a packed model writes nothing outside of its folder") {
    val evil = PackedModel(Seq("../evil" -> Seq(spark.sparkContext.broadcast(Array[Byte](1)))))
    intercept[InvalidModelException](evil.unpack(Files.createTempDirectory("evil")))
  }
}
