package io.tfspark.score

import java.nio.file.Paths

import scala.util.Using

import io.tfspark.{TestModels, TfSpark}
import io.tfspark.error.EngineException
import io.tfspark.model._
import org.scalatest.funsuite.AnyFunSuite

class GroupRunnerSuite extends AnyFunSuite {

  test("an output of a run whose bytes no Java array holds is told, with what to do") {
    val signature = ModelPackage.load(Paths.get(TestModels.path("linear"))).signature()
    val input = signature.inputs.head
    val binding =
      Binding.bind(signature, Seq(ColumnAtHand(input.name, RowValues.columnType(input))))
    val floats = binding.outputs.head
    assert(GroupRunner.tooLarge(floats, Seq(1L << 28)).isEmpty)
    val problem = GroupRunner.tooLarge(floats, Seq(1L << 20, 512L)).getOrElse("")
    assert(problem.contains("found:    536870912 elements"), problem)
    assert(problem.contains("Hint: give a smaller batch size."), problem)
  }

  test("too little memory for one row, or for a fixed batch, is an error of the engine") {
    Seq("linear" -> "rows 0 to 0: ", "fixed" -> "rows 0 to 1: ").foreach { case (name, place) =>
      val path = TestModels.random(name, 1L << 58).toString
      Using.resource(TfSpark.open(path)) { model =>
        val error = intercept[EngineException] {
          model.feed("inputs", Seq(Seq(1, 2), Seq(3, 5))).run()
        }
        assert(error.getMessage.contains(place), error.getMessage)
        assert(error.getMessage.contains("OOM"), error.getMessage)
        assert(!error.getMessage.contains("the model refuses the row"), error.getMessage)
      }
    }
  }
}
