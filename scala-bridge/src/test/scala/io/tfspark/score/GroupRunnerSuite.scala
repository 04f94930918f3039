package io.tfspark.score

import java.nio.file.Paths

import io.tfspark.TestModels
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
}
