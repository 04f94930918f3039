package io.tfspark.tensor

import io.tfspark.model.DType

/** A floating-point format of 16 bits, because Java 17 has none. Rounds to nearest, ties to even,
  * as NumPy and TensorFlow do.
  */
abstract class ShortFloat {

  /** The 16 bits of the nearest value; infinity beyond the largest. */
  def toBits(value: Float): Short

  /** The value of 16 bits. */
  def fromBits(bits: Short): Float

  /** The bits of infinity. */
  def infinity: Short

  /** Whether 16 bits are those of an infinity of either sign. */
  final def isInfinite(bits: Short): Boolean = (bits & 0x7fff) == infinity

  /** The value nearest to a double. To avoid double rounding through a float, the last bit of the
    * float is set if the conversion lost any digits.
    */
  final def toBits(value: Double): Short = {
    val near = value.toFloat
    if (near.toDouble == value || value.isNaN) toBits(near)
    else {
      val bits = java.lang.Float.floatToRawIntBits(near)
      val towardsZero = if (math.abs(near.toDouble) > math.abs(value)) bits - 1 else bits
      toBits(java.lang.Float.intBitsToFloat(towardsZero | 1))
    }
  }

  /** The value nearest to a decimal, computed in the same way. */
  final def toBits(value: java.math.BigDecimal): Short = {
    val near = value.doubleValue
    val order =
      if (near.isInfinite) 1 else new java.math.BigDecimal(near).abs.compareTo(value.abs)
    if (order == 0) toBits(near)
    else {
      val bits = java.lang.Double.doubleToRawLongBits(near)
      toBits(java.lang.Double.longBitsToDouble((if (order > 0) bits - 1 else bits) | 1L))
    }
  }

  /** The value nearest to an integer. A double holds integers up to 2^53^. */
  final def bitsOf(value: Long): Short =
    if (math.abs(value) <= (1L << 53) && value != Long.MinValue) toBits(value.toDouble)
    else toBits(java.math.BigDecimal.valueOf(value))

  /** The value nearest to a number of any class, as a float; infinity beyond the largest. */
  final def nearest(number: Number): Float = fromBits(number match {
    case real @ (_: java.lang.Double | _: java.lang.Float) => toBits(real.doubleValue)
    case exact => toBits(new java.math.BigDecimal(exact.toString))
  })
}

object ShortFloat {
  private val formats = Map("float16" -> HalfFloat, "bfloat16" -> BFloat16)

  /** The format of an element type; none for types that are not floats of 16 bits. */
  def of(dtype: DType): Option[ShortFloat] = formats.get(dtype.name)
}
