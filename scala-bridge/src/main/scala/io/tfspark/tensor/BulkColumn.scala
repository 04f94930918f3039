package io.tfspark.tensor

import scala.annotation.tailrec

import io.tfspark.model._
import org.apache.spark.sql.execution.vectorized.WritableColumnVector
import org.apache.spark.sql.types._
import org.apache.spark.sql.vectorized.ColumnarArray
import org.apache.spark.unsafe.Platform

/** A column of a columnar batch whose elements may be taken at once: a single input's array or
  * scalar column.
  *
  * Only vectors that Spark fills itself tell where an array starts.
  */
final class BulkColumn(vector: WritableColumnVector, place: ColumnPlace) {

  private val element = DType.elementOf(place.sql)._1

  /** An object and an offset with the elements of some rows of one shape; nothing when they are not
    * there in one piece.
    */
  private[tensor] def elements(first: Int, rows: Int, shape: Seq[Int]): Option[(AnyRef, Long)] =
    place.depth match {
      case 0 if shape.product != 1 => None
      case 0 => inOnePiece(vector, first, rows, Nil)
      case 1 => inOnePiece(vector, first, rows, Seq(shape.product))
      case _ => inOnePiece(vector, first, rows, shape)
    }

  @tailrec
  private def inOnePiece(
      vector: WritableColumnVector,
      first: Int,
      count: Int,
      lengths: Seq[Int]
  ): Option[(AnyRef, Long)] =
    if (vector.hasNull) None
    else
      lengths match {
        case length +: inner if BulkColumn.isInOnePiece(vector, first, count, length) =>
          inOnePiece(vector.arrayData(), vector.getArrayOffset(first), count * length, inner)
        case Nil => Some(BulkColumn.copy(vector, element, first, count))
        case _ => None
      }
}

object BulkColumn {

  /** The single column of a single exact, fixed input: what `BatchEncoder.addAll` takes. */
  def placeOf(inputs: Seq[InputBinding], places: Seq[Seq[ColumnPlace]]): Option[ColumnPlace] =
    (inputs, places) match {
      case (Seq(input), Seq(Seq(place))) if input.spec.rowSize.isDefined =>
        val element = DType.elementOf(place.sql)._1
        val isExact = DType.conversion(element, input.dtype).contains(Conversion.Exact)
        Option.when(isExact && input.dtype.width > 0 && element != BooleanType)(place)
      case _ => None
    }

  private def isInOnePiece(
      vector: WritableColumnVector,
      first: Int,
      count: Int,
      length: Int
  ): Boolean = {
    val start = vector.getArrayOffset(first)
    var index = 0
    while (
      index < count && vector.getArrayLength(first + index) == length &&
      vector.getArrayOffset(first + index) == start + index * length
    ) index += 1
    index == count
  }

  private def copy(
      vector: WritableColumnVector,
      element: DataType,
      from: Int,
      count: Int
  ): (AnyRef, Long) =
    if (vector.hasDictionary) decoded(vector, element, from, count)
    else
      element match {
        case ByteType => vector.getBytes(from, count) -> Platform.BYTE_ARRAY_OFFSET.toLong
        case ShortType => vector.getShorts(from, count) -> Platform.SHORT_ARRAY_OFFSET.toLong
        case IntegerType => vector.getInts(from, count) -> Platform.INT_ARRAY_OFFSET.toLong
        case LongType => vector.getLongs(from, count) -> Platform.LONG_ARRAY_OFFSET.toLong
        case FloatType => vector.getFloats(from, count) -> Platform.FLOAT_ARRAY_OFFSET.toLong
        case _ => vector.getDoubles(from, count) -> Platform.DOUBLE_ARRAY_OFFSET.toLong
      }

  /** Copy values that a dictionary holds; of such a vector, bulk reads would give their indices. */
  private def decoded(
      vector: WritableColumnVector,
      element: DataType,
      from: Int,
      count: Int
  ): (AnyRef, Long) = {
    val values = new FixedElements(element.defaultSize)
    LeafWriter.exact(element, values).writeAll(new ColumnarArray(vector, from, count), count)
    values.array -> Platform.BYTE_ARRAY_OFFSET.toLong
  }
}
