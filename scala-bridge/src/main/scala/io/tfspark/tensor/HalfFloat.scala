package io.tfspark.tensor

/** Converts IEEE 754 half precision, because Java 17 has no such type. Rounds to nearest, ties to
  * even, as NumPy does.
  */
object HalfFloat {

  /** The half nearest to a double. To avoid double rounding through a float, the last bit of the
    * float is set if the conversion lost any digits.
    */
  def toBits(value: Double): Short = {
    val near = value.toFloat
    if (near.toDouble == value || value.isNaN) toBits(near)
    else {
      val bits = java.lang.Float.floatToRawIntBits(near)
      val towardsZero = if (math.abs(near.toDouble) > math.abs(value)) bits - 1 else bits
      toBits(java.lang.Float.intBitsToFloat(towardsZero | 1))
    }
  }

  /** The half nearest to a decimal, computed in the same way. */
  def toBits(value: java.math.BigDecimal): Short = {
    val near = value.doubleValue
    val order = new java.math.BigDecimal(near).abs.compareTo(value.abs)
    if (order == 0) toBits(near)
    else {
      val bits = java.lang.Double.doubleToRawLongBits(near)
      toBits(java.lang.Double.longBitsToDouble((if (order > 0) bits - 1 else bits) | 1L))
    }
  }

  /** The half nearest to a number of any class, as a float; infinity beyond the range of halves. */
  def nearest(number: Number): Float = fromBits(number match {
    case real @ (_: java.lang.Double | _: java.lang.Float) => toBits(real.doubleValue)
    case exact => toBits(new java.math.BigDecimal(exact.toString))
  })

  /** The 16 bits of the nearest half; infinity beyond the range of halves. */
  def toBits(value: Float): Short = {
    val bits = java.lang.Float.floatToRawIntBits(value)
    val sign = (bits >>> 16) & 0x8000
    val magnitude = bits & 0x7fffffff
    val half =
      if (magnitude > 0x7f800000) 0x7e00 | ((magnitude >> 13) & 0x3ff) // NaN
      else if (magnitude >= 0x477ff000) 0x7c00 // rounds to infinity
      else if (magnitude >= 0x38800000) rounded(magnitude - 0x38000000, 13) // a normal half
      else if (magnitude >= 0x33000000) subnormal(magnitude)
      else 0
    (sign | half).toShort
  }

  /** The value of 16 bits. */
  def fromBits(bits: Short): Float = {
    val sign = if ((bits & 0x8000) != 0) -1f else 1f
    val exponent = (bits >> 10) & 0x1f
    val fraction = bits & 0x3ff
    exponent match {
      case 0 => sign * fraction * math.pow(2, -24).toFloat
      case 31 => if (fraction == 0) sign * Float.PositiveInfinity else Float.NaN
      case _ => sign * (1 + fraction / 1024f) * math.pow(2, (exponent - 15).toDouble).toFloat
    }
  }

  private def subnormal(magnitude: Int): Int = {
    val fraction = (magnitude & 0x7fffff) | 0x800000
    rounded(fraction, 126 - (magnitude >>> 23))
  }

  private def rounded(value: Int, shift: Int): Int = {
    val kept = value >>> shift
    val rest = value & ((1 << shift) - 1)
    val middle = 1 << (shift - 1)
    if (rest > middle || (rest == middle && (kept & 1) == 1)) kept + 1 else kept
  }
}
