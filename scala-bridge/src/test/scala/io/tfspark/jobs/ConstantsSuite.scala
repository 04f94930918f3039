package io.tfspark.jobs

import io.tfspark.SparkSuite
import io.tfspark.error.BindingException
import io.tfspark.model._

class ConstantsSuite extends SparkSuite {

  private def read(dtype: String, text: String): Any = {
    val signature = Signature("serve", Seq(TensorSpec("k", dtype, Some(Nil), "k:0")), Nil)
    val column = Constants.columns(signature, Map("k" -> text))("k")
    spark.range(1).select(column).head().get(0)
  }

  test("text is rounded once, to the nearest number of its input") {
    assert(read("float16", "1.00048828125") == 1f)
    assert(read("float16", " 1.00048828125000000001") == 1f + 1f / 1024)
    assert(read("float32", "1.000000059604644775390625") == 1f)
    assert(read("float32", "1.00000005960464477539062500000001") == 1f + math.ulp(1f))
    assert(read("float64", "0.1") == 0.1)
  }

  test("a constant of uint64 is a whole number of 64 bits without a sign") {
    assert(read("uint64", " 18446744073709551615") == BigDecimal("18446744073709551615").bigDecimal)
    Seq("18446744073709551616", "-1", "1.5", "one").foreach { text =>
      val error = intercept[BindingException](read("uint64", text))
      assert(error.getMessage.contains(s"'$text' is not a constant of type uint64"))
    }
  }

  test("what is no finite number passes, and a number beyond the range does not") {
    assert(read("float16", "NaN").asInstanceOf[Float].isNaN)
    assert(read("float32", "-Infinity") == Float.NegativeInfinity)
    Seq("float16" -> "65520", "float32" -> "1e39", "float64" -> "-1e400").foreach {
      case (dtype, text) =>
        val error = intercept[BindingException](read(dtype, text))
        assert(error.getMessage.contains(s"'$text' is not a constant of type $dtype"))
    }
  }
}
