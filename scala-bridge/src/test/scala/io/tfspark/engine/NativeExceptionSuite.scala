package io.tfspark.engine

import org.scalatest.funsuite.AnyFunSuite

class NativeExceptionSuite extends AnyFunSuite {
  test("a placeholder that is not an input is about the model, and named") {
    val message = "You must feed a value for placeholder tensor 'rate' with dtype float"
    val error = new NativeException(3, message)
    assert(error.isAboutModel && !error.isAboutRow)
    assert(error.inWords.startsWith("The model needs a value for 'rate'"))
  }

  test("a loop over a row without elements is about the row, whatever its code is") {
    val message = "TensorArray has size zero, but element shape <unknown> is not fully defined."
    assert(new NativeException(12, message).isAboutRow)
    assert(new NativeException(12, "another message").isAboutModel)
  }
}
