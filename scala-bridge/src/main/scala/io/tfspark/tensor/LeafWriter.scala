package io.tfspark.tensor

import io.tfspark.model._
import org.apache.spark.sql.catalyst.expressions.{SpecializedGetters, UnsafeArrayData}
import org.apache.spark.sql.catalyst.util.{ArrayData, GenericArrayData}
import org.apache.spark.sql.types._

/** Why a row is bad; the scorer adds the model, the partition and the row's number.
  *
  * @param column the column that contains the value; empty if it is not a single column
  * @param hint the next step, if it is not the usual one
  */
final class RowProblem(
    val code: ReasonCode,
    val column: String,
    val problem: String,
    val hint: String = ""
) extends RuntimeException(problem, null, false, false)

/** Copies elements of one column type into a tensor of one type. Executor.
  *
  * If the types agree, bytes are copied unchanged; otherwise values are converted one by one
  * (`NumberWriter`).
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

/** A writer that also takes elements that lie one after the other in memory. */
private[tensor] trait ContiguousWriter extends LeafWriter {

  /** Copy elements from an object, beginning at an offset for `Platform`. */
  def writeAll(base: AnyRef, offset: Long, count: Int): Unit

  override def writeAll(array: ArrayData, count: Int): Unit = array match {
    // Its elements are contiguous, in the width of their type, after a header with the null bits.
    case unsafe: UnsafeArrayData =>
      val header = UnsafeArrayData.calculateHeaderPortionInBytes(count)
      writeAll(unsafe.getBaseObject, unsafe.getBaseOffset + header, count)
    case _ => super.writeAll(array, count)
  }
}

object LeafWriter {

  /** A writer from a column's element type into elements of a tensor type. */
  def apply(column: String, from: DataType, to: DType, into: Elements): LeafWriter =
    (from, into) match {
      case (NullType, _) => new Nothing(column)
      case (_: StringType, strings: StringElements) => new Texts(strings)
      case (_, strings: StringElements) => new Binaries(strings)
      case (_, fixed: FixedElements) if DType.conversion(from, to).contains(Conversion.Exact) =>
        exact(from, fixed)
      case (_, fixed: FixedElements) => NumberWriter(column, from, to, fixed)
    }

  /** Elements without a type, which are all null. */
  final private class Nothing(column: String) extends LeafWriter {
    def write(from: SpecializedGetters, position: Int): Unit =
      throw new RowProblem(ReasonCode.Unreadable, column, "a value without a type cannot be fed")
  }

  final private class Texts(into: StringElements) extends LeafWriter {
    def write(from: SpecializedGetters, position: Int): Unit =
      into.put(from.getUTF8String(position))
  }

  final private class Binaries(into: StringElements) extends LeafWriter {
    def write(from: SpecializedGetters, position: Int): Unit = into.put(from.getBinary(position))
  }

  /** A writer of elements that the tensor and the column store in the same way. */
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

  abstract private class Exact(into: FixedElements) extends LeafWriter with ContiguousWriter {
    def writeAll(base: AnyRef, offset: Long, count: Int): Unit = into.putAll(base, offset, count)
  }

  /** Writes a value in the place of each null. */
  final private[tensor] class Filled(leaf: LeafWriter, value: Any) extends LeafWriter {
    private val fill = new GenericArrayData(Array[Any](value))

    def write(from: SpecializedGetters, position: Int): Unit =
      if (from.isNullAt(position)) leaf.write(fill, 0) else leaf.write(from, position)
  }
}
