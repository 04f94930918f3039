package io.tfspark.tensor

import java.math.{BigDecimal, BigInteger}

import io.tfspark.model._
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.Platform

/** Converts numbers of a column into those of a tensor. Executor.
  *
  * A floating-point number is rounded once, to the nearest. A number out of range, and a fraction
  * for an integer, is a `RowProblem`; no number ever wraps around.
  */
abstract private[tensor] class NumberWriter(column: String, to: DType, into: FixedElements)
    extends LeafWriter {

  /** The range of an integer input, as far as a long can hold it. */
  protected val (least: Long, most: Long) = to.range

  protected def putInteger(value: Long): Unit = to.width match {
    case 1 => into.putByte(value.toByte)
    case 2 => into.putShort(value.toShort)
    case 4 => into.putInt(value.toInt)
    case _ => into.putLong(value)
  }

  /** The format of 16-bit floats; used only if the input has such a type. */
  protected val short: ShortFloat = ShortFloat.of(to).getOrElse(HalfFloat)

  /** Put a float of 16 bits; refuse a finite value that the rounding made infinite. */
  protected def putShortFloat(bits: Short, isInfinite: Boolean, value: => String): Unit = {
    if (short.isInfinite(bits) && !isInfinite) refuse(value, ReasonCode.OutOfRange)
    into.putShort(bits)
  }

  protected def refuse(value: String, code: ReasonCode): Nothing =
    throw new RowProblem(code, column, s"$value does not fit ${to.name}")
}

private[tensor] object NumberWriter {
  private val TwoTo63 = math.pow(2, 63)
  private val TwoTo64 = math.pow(2, 64)
  private val LargestUnsigned = new BigDecimal(BigInteger.TWO.pow(64).subtract(BigInteger.ONE))

  /** A writer from numbers of a Spark type, or booleans. */
  def apply(column: String, from: DataType, to: DType, into: FixedElements): LeafWriter =
    from match {
      case DoubleType if to.name == "float32" => new DoublesToFloats(column, to, into)
      case FloatType | DoubleType => new OfDouble(column, from, to, into)
      case decimal: DecimalType => new OfDecimal(column, decimal, to, into)
      case _ => new OfLong(column, from, to, into)
    }

  /** The most usual conversion, which also takes whole arrays. */
  final private class DoublesToFloats(column: String, to: DType, into: FixedElements)
      extends NumberWriter(column, to, into)
      with ContiguousWriter {

    def write(row: SpecializedGetters, at: Int): Unit = into.putFloat(rounded(row.getDouble(at)))

    def writeAll(base: AnyRef, offset: Long, count: Int): Unit = {
      val start = into.extend(count)
      val (target, _) = into.place
      var index = 0
      while (index < count) {
        val near = rounded(Platform.getDouble(base, offset + index * 8L))
        Platform.putFloat(target, start + index * 4L, near)
        index += 1
      }
    }

    private def rounded(value: Double): Float = {
      val near = value.toFloat
      if (near.isInfinite && !value.isInfinite) refuse(value.toString, ReasonCode.OutOfRange)
      near
    }
  }

  final private class OfDouble(column: String, from: DataType, to: DType, into: FixedElements)
      extends NumberWriter(column, to, into) {

    def write(row: SpecializedGetters, at: Int): Unit =
      put(if (from == FloatType) row.getFloat(at).toDouble else row.getDouble(at))

    private def put(value: Double): Unit = to.kind match {
      case _ if to.isUnsignedLong && value >= TwoTo63 && value < TwoTo64 =>
        putInteger((value - TwoTo63).toLong | Long.MinValue) // a double of this size is whole
      case _: Kind.Integral =>
        // A power of two is exact in every float, unlike the largest integer itself.
        val isLong = value == math.rint(value) && value >= -TwoTo63 && value < TwoTo63
        if (!isLong || value.toLong < least || value.toLong > most)
          refuse(value.toString, codeOf(value))
        putInteger(value.toLong)
      case _ if to.width == 2 =>
        putShortFloat(short.toBits(value), value.isInfinite, value.toString)
      case _ => into.putDouble(value)
    }

    private def codeOf(value: Double): ReasonCode =
      if (value.isNaN) ReasonCode.NotANumber
      else if (value < least || value > most || value >= TwoTo63) ReasonCode.OutOfRange
      else ReasonCode.Fraction
  }

  final private class OfLong(column: String, from: DataType, to: DType, into: FixedElements)
      extends NumberWriter(column, to, into) {

    def write(row: SpecializedGetters, at: Int): Unit = put(from match {
      case BooleanType => if (row.getBoolean(at)) 1L else 0L
      case ByteType => row.getByte(at).toLong
      case ShortType => row.getShort(at).toLong
      case IntegerType => row.getInt(at).toLong
      case _ => row.getLong(at)
    })

    private def put(value: Long): Unit = (to.kind, to.width) match {
      case (_: Kind.Integral, _) =>
        if (value < least || value > most) refuse(value.toString, ReasonCode.OutOfRange)
        putInteger(value)
      case (_, 2) => putShortFloat(short.bitsOf(value), isInfinite = false, value.toString)
      case (_, 4) => into.putFloat(value.toFloat) // by way of a double it would round twice
      case _ => into.putDouble(value.toDouble)
    }
  }

  final private class OfDecimal(
      column: String,
      from: DecimalType,
      to: DType,
      into: FixedElements
  ) extends NumberWriter(column, to, into) {
    private val smallest = BigDecimal.valueOf(least)
    private val largest = if (to.isUnsignedLong) LargestUnsigned else BigDecimal.valueOf(most)

    def write(row: SpecializedGetters, at: Int): Unit =
      put(row.getDecimal(at, from.precision, from.scale).toJavaBigDecimal)

    private def put(value: BigDecimal): Unit = (to.kind, to.width) match {
      case (_: Kind.Integral, _) =>
        if (!isWhole(value) || !isInRange(value)) {
          // As in Python, a whole number that fits into a long is shown without decimals.
          val isLong = isWhole(value) && value.toBigInteger.bitLength < 64
          val shown = if (isLong && !to.isUnsignedLong) value.setScale(0) else value
          refuse(shown.toPlainString, codeOf(value))
        }
        putInteger(value.longValue) // the lower 64 bits
      case (_, 2) =>
        putShortFloat(short.toBits(value), isInfinite = false, value.toPlainString)
      case (_, 4) => into.putFloat(value.floatValue)
      case _ => into.putDouble(value.doubleValue)
    }

    private def codeOf(value: BigDecimal): ReasonCode =
      if (isInRange(value)) ReasonCode.Fraction else ReasonCode.OutOfRange

    private def isWhole(value: BigDecimal): Boolean = value.stripTrailingZeros.scale <= 0

    private def isInRange(value: BigDecimal): Boolean =
      value.compareTo(smallest) >= 0 && value.compareTo(largest) <= 0
  }
}
