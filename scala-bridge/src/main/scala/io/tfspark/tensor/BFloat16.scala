package io.tfspark.tensor

/** bfloat16: the upper half of the bits of a float. */
object BFloat16 extends ShortFloat {

  val infinity: Short = 0x7f80

  def toBits(value: Float): Short = {
    val bits = java.lang.Float.floatToRawIntBits(value)
    val upper = bits >>> 16
    // Rounding must not make a NaN infinite: its upper half is kept, and one of its bits set.
    val rounded = if (value.isNaN) upper | 0x40 else (bits + 0x7fff + (upper & 1)) >>> 16
    rounded.toShort
  }

  def fromBits(bits: Short): Float = java.lang.Float.intBitsToFloat(bits << 16)
}
