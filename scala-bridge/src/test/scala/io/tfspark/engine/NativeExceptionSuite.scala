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

  private val missing = Seq(
    "No OpKernel was registered to support Op 'Odd' used by {{node y}} with these attrs: []",
    "No registered 'Odd' OpKernel for 'CPU' devices compatible with node {{node y}}",
    "Could not find device for node: {{node y}} = Odd[T=DT_FLOAT]\nAll kernels registered",
    "Op type not registered 'Odd' in binary running on host."
  )

  private val ofPython = Seq(
    "ValueError: callback pyfunc_3 is not found",
    "Could not find callback with key=pyfunc_3 in the registry."
  )

  test("every wording for an op that cannot run here is about the model, and names the op") {
    for (code <- Seq(2, 3, 5); message <- missing ++ ofPython) {
      val error = new NativeException(code, message)
      assert(error.isAboutModel && !error.isAboutRow, message)
      val op = if (missing.contains(message)) "Odd" else "py_function"
      assert(error.inWords.startsWith(
        s"The TensorFlow of this JVM has no kernel for the op '$op'."
      ))
    }
  }

  test("a variable that nothing restored, and a tensor that is fed and fetched, blame no row") {
    Seq(
      "Error while reading resource variable w from Container: localhost.",
      "Could not find variable w. This could mean that the variable has been deleted.",
      "x:0 is both fed and fetched."
    ).foreach(message => assert(!new NativeException(5, message).isAboutRow, message))
  }
}
