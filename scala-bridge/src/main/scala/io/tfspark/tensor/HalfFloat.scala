package io.tfspark.tensor

/** IEEE 754 half precision. */
object HalfFloat extends ShortFloat {

  val infinity: Short = 0x7c00

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
