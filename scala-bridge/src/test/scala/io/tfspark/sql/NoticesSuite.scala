package io.tfspark.sql

import java.nio.file.Paths

import io.tfspark.TestModels
import io.tfspark.model.ModelPackage
import org.scalatest.funsuite.AnyFunSuite

class NoticesSuite extends AnyFunSuite {

  test("a warning names the random operations of a model") {
    val plain = ModelPackage.load(Paths.get(TestModels.path("linear")))
    assert(plain.random.isEmpty && Notices.randomness(plain).isEmpty)
    val random = ModelPackage.load(TestModels.random("linear", 1))
    val warning = Notices.randomness(random).getOrElse("")
    assert(warning.startsWith(s"model ${random.title} draws random numbers ('RandomUniform'), so"))
  }

  test("random operations that no signature runs do not count") {
    val unused = TestModels.edited("linear") { graph =>
      graph.getGraphDefBuilder.addNodeBuilder().setName("noise").setOp("RandomUniform"): Unit
    }
    assert(ModelPackage.load(unused).random.isEmpty)
  }
}
