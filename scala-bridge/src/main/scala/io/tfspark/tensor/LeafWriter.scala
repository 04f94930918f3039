package io.tfspark.tensor

import io.tfspark.error.PythonText
import io.tfspark.model._
import org.apache.spark.sql.catalyst.expressions.{SpecializedGetters, UnsafeArrayData}
import org.apache.spark.sql.catalyst.util.ArrayData
import org.apache.spark.sql.types._

/** A row that cannot be fed; the scorer adds the model, the partition and the row's number. */
final class RowProblem(val column: String, val problem: String)
    extends RuntimeException(problem, null, false, false)

/** Copies elements of one column type into a tensor of one type. Executor.
  *
  * Bytes pass as they are where the types agree; else values are widened, or narrowed and checked
  * one by one: a value that does not fit is a `RowProblem`, and none is ever wrapped.
  */
abstract class LeafWriter extends Serializable {

  /** Copy the element at a position of a row or array. */
  def write(from: SpecializedGetters, position: Int): Unit

  /** Copy all elements of an array. */
  def writeAll(from: ArrayData, count: Int): Unit = {
    var position = 0
    while (position < count) {
      write(from, position)
      position += 1
    }
  }
}

object LeafWriter {
  private val TwoTo63 = math.pow(2, 63)

  /** A writer from a column's element type into elements of a tensor type. */
  def apply(column: String, from: DataType, to: DType, into: Elements): LeafWriter =
    (from, into) match {
      case (NullType, _) => new Nothing(column)
      case (_: StringType, strings: StringElements) => new Texts(strings)
      case (_, strings: StringElements) => new Binaries(strings)
      case (_, fixed: FixedElements) if DType.conversion(from, to).contains(Conversion.Exact) =>
        exact(from, fixed)
      case (_, fixed: FixedElements) => new Converting(column, from, to, fixed)
    }

  /** Elements without a type: there are none that are not null. */
  final private class Nothing(column: String) extends LeafWriter {
    def write(from: SpecializedGetters, position: Int): Unit =
      throw new RowProblem(column, "a value without a type cannot be fed")
  }

  final private class Texts(into: StringElements) extends LeafWriter {
    def write(from: SpecializedGetters, position: Int): Unit =
      into.put(from.getUTF8String(position))
  }

  final private class Binaries(into: StringElements) extends LeafWriter {
    def write(from: SpecializedGetters, position: Int): Unit = into.put(from.getBinary(position))
  }

  /** A writer of elements that the tensor holds as the column does. */
  private[tensor] def exact(from: DataType, into: FixedElements): LeafWriter = from match {
    case BooleanType => new Exact(into) {
        def write(row: SpecializedGetters, at: Int): Unit =
          into.putByte(if (row.getBoolean(at)) 1 else 0)
      }
    case ByteType => new Exact(into) {
        def write(row: SpecializedGetters, at: Int): Unit = into.putByte(row.getByte(at))
      }
    case ShortType => new Exact(into) {
        def write(row: SpecializedGetters, at: Int): Unit = into.putShort(row.getShort(at))
      }
    case IntegerType => new Exact(into) {
        def write(row: SpecializedGetters, at: Int): Unit = into.putInt(row.getInt(at))
      }
    case LongType => new Exact(into) {
        def write(row: SpecializedGetters, at: Int): Unit = into.putLong(row.getLong(at))
      }
    case FloatType => new Exact(into) {
        def write(row: SpecializedGetters, at: Int): Unit = into.putFloat(row.getFloat(at))
      }
    case _ => new Exact(into) {
        def write(row: SpecializedGetters, at: Int): Unit = into.putDouble(row.getDouble(at))
      }
  }

  abstract private class Exact(into: FixedElements) extends LeafWriter {
    override def writeAll(array: ArrayData, count: Int): Unit = array match {
      // Its elements lie one after the other in the width of their type, after a header with the null bits.
      case unsafe: UnsafeArrayData =>
        val header = UnsafeArrayData.calculateHeaderPortionInBytes(count)
        into.putAll(unsafe.getBaseObject, unsafe.getBaseOffset + header, count)
      case _ => super.writeAll(array, count)
    }
  }

  /** Widens, or narrows with a check of each value. */
  final private class Converting(column: String, from: DataType, to: DType, into: FixedElements)
      extends LeafWriter {
    private val isFloating = from == FloatType || from == DoubleType

    def write(row: SpecializedGetters, at: Int): Unit =
      if (isFloating)
        writeDouble(if (from == FloatType) row.getFloat(at).toDouble else row.getDouble(at))
      else writeLong(integer(row, at))

    private def integer(row: SpecializedGetters, at: Int): Long = from match {
      case ByteType => row.getByte(at).toLong
      case ShortType => row.getShort(at).toLong
      case IntegerType => row.getInt(at).toLong
      case _ => row.getLong(at)
    }

    private def writeLong(value: Long): Unit = to.kind match {
      case Kind.Integral(signed) =>
        if (!fits(value, signed)) refuse(value.toString)
        putInteger(value)
      case _ if to.width == 4 =>
        into.putFloat(value.toFloat) // by way of a double it would round twice
      case _ => if (!putFloating(value.toDouble)) refuse(value.toString)
    }

    private def writeDouble(value: Double): Unit = to.kind match {
      case Kind.Integral(signed) =>
        // A power of two is exact in every float, unlike the largest integer itself.
        val isLong = value == math.rint(value) && value >= -LeafWriter.TwoTo63 &&
          value < LeafWriter.TwoTo63
        if (!isLong || !fits(value.toLong, signed)) refuse(PythonText.of(value))
        putInteger(value.toLong)
      case _ => if (!putFloating(value)) refuse(PythonText.of(value))
    }

    private def fits(value: Long, signed: Boolean): Boolean = {
      val bits = to.width * 8
      val least = if (signed) -(1L << (bits - 1)) else 0L
      val most = if (signed) (1L << (bits - 1)) - 1 else (1L << bits) - 1
      bits == 64 || (value >= least && value <= most)
    }

    private def putInteger(value: Long): Unit = to.width match {
      case 1 => into.putByte(value.toByte)
      case 2 => into.putShort(value.toShort)
      case 4 => into.putInt(value.toInt)
      case _ => into.putLong(value)
    }

    /** Rounding to a shorter float is what was asked for; an overflow is not, and is told. */
    private def putFloating(value: Double): Boolean = to.width match {
      case 2 =>
        val half = HalfFloat.toBits(value)
        into.putShort(half)
        (half & 0x7fff) != 0x7c00 || value.isInfinite
      case 4 =>
        into.putFloat(value.toFloat)
        !value.toFloat.isInfinite || value.isInfinite
      case _ =>
        into.putDouble(value)
        true
    }

    private def refuse(value: String): scala.Nothing =
      throw new RowProblem(column, s"$value does not fit ${to.name}")
  }
}
