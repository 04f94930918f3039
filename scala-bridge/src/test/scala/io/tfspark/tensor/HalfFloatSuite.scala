package io.tfspark.tensor

import org.scalatest.funsuite.AnyFunSuite

class HalfFloatSuite extends AnyFunSuite {

  test("every half is itself again, and NaN stays NaN") {
    (Short.MinValue.toInt to Short.MaxValue.toInt).map(_.toShort).foreach { bits =>
      val value = HalfFloat.fromBits(bits)
      if (value.isNaN) assert(HalfFloat.fromBits(HalfFloat.toBits(value)).isNaN)
      else assert(HalfFloat.toBits(value) == bits, value.toString)
    }
  }

  test("rounding is to the nearest, ties to even, as NumPy rounds") {
    // NumPy: np.float16(x).view(np.uint16)
    val known = Seq(
      1.0f -> 0x3c00,
      0.1f -> 0x2e66,
      -2.7182817f -> 0xc170,
      65504f -> 0x7bff,
      65519f -> 0x7bff,
      65520f -> 0x7c00,
      1.0004883f -> 0x3c00,
      1.0014648f -> 0x3c02,
      5.9604645e-8f -> 0x0001,
      2.9802322e-8f -> 0x0000,
      2.9802326e-8f -> 0x0001,
      6.097555e-5f -> 0x03ff,
      Float.NegativeInfinity -> 0xfc00
    )
    known.foreach { case (value, bits) =>
      assert((HalfFloat.toBits(value) & 0xffff) == bits, value.toString)
    }
  }

  test("a double is rounded once, and not by way of a float") {
    // NumPy: np.float64(x).astype(np.float16).view(np.uint16)
    val known = Seq(
      1.00048828125 -> 0x3c00,
      1.000488281250001 -> 0x3c01,
      1.0014648437499996 -> 0x3c01,
      -1.0014648437499996 -> 0xbc01,
      65519.99999999999 -> 0x7bff,
      65520.0 -> 0x7c00,
      1e300 -> 0x7c00,
      2.980232238769531e-8 -> 0x0000,
      2.9802322387695316e-8 -> 0x0001,
      1e-300 -> 0x0000,
      Double.NegativeInfinity -> 0xfc00
    )
    known.foreach { case (value, bits) =>
      assert((HalfFloat.toBits(value) & 0xffff) == bits, value.toString)
    }
    assert(HalfFloat.fromBits(HalfFloat.toBits(Double.NaN)).isNaN)
  }
}
