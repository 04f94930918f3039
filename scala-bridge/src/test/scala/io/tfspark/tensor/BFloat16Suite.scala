package io.tfspark.tensor

import org.scalatest.funsuite.AnyFunSuite

class BFloat16Suite extends AnyFunSuite {

  test("every value is itself again, and NaN stays NaN") {
    (Short.MinValue.toInt to Short.MaxValue.toInt).map(_.toShort).foreach { bits =>
      val value = BFloat16.fromBits(bits)
      if (value.isNaN) assert(BFloat16.fromBits(BFloat16.toBits(value)).isNaN)
      else assert(BFloat16.toBits(value) == bits, value.toString)
    }
  }

  test("a number is rounded once, to the nearest, ties to even") {
    val known = Seq[(String, Float)](
      "1.00390625" -> 1f,
      "1.003906250001" -> 1.0078125f,
      "1.00390625000000000000001" -> 1.0078125f,
      "-1.01171875" -> -1.015625f,
      "4629700416936869889" -> 4647714815446351872f,
      "3.3895313892515355e38" -> 3.3895314e38f,
      "3.4e38" -> Float.PositiveInfinity
    )
    known.foreach { case (text, value) =>
      assert(BFloat16.nearest(new java.math.BigDecimal(text)) == value, text)
    }
    assert(BFloat16.nearest(-1.003906250001) == -1.0078125f)
    assert(BFloat16.fromBits(BFloat16.bitsOf((1L << 62) + (1L << 54) + 1)) == 4647714815446351872f)
    assert(BFloat16.nearest(Double.NegativeInfinity) == Float.NegativeInfinity)
    assert(BFloat16.nearest(Double.NaN).isNaN)
  }
}
