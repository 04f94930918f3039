package io.tfspark.tensor

import scala.annotation.tailrec

import io.tfspark.model._
import org.apache.spark.sql.execution.vectorized.WritableColumnVector
import org.apache.spark.sql.types._
import org.apache.spark.sql.vectorized.ColumnarArray
import org.apache.spark.unsafe.Platform

/** A column of a columnar batch whose elements may be copied at once: the array or scalar column of
  * a single input.
  *
  * Only vectors that Spark itself fills expose the start of an array.
  */
final class BulkColumn(vector: WritableColumnVector, place: ColumnPlace) {

  private val (element, depth) = DType.elementOf(place.sql)

  /** Copy the elements of rows of one shape; returns false, and copies nothing, if they are not
    * contiguous.
    */
  private[tensor] def appendTo(
      into: FixedElements,
      first: Int,
      rows: Int,
      shape: Seq[Int]
  ): Boolean =
    depth match {
      case 0 => shape.product == 1 && append(into, vector, first, rows, Nil)
      case 1 => append(into, vector, first, rows, Seq(shape.product))
      case _ => append(into, vector, first, rows, shape)
    }

  @tailrec
  private def append(
      into: FixedElements,
      vector: WritableColumnVector,
      first: Int,
      count: Int,
      lengths: Seq[Int]
  ): Boolean =
    !vector.hasNull && (lengths match {
      case length +: inner =>
        BulkColumn.isInOnePiece(vector, first, count, length) &&
        append(into, vector.arrayData(), vector.getArrayOffset(first), count * length, inner)
      case _ =>
        BulkColumn.copy(into, vector, element, first, count)
        true
    })
}

object BulkColumn {

  /** Elements that Spark copies at a time; small enough that G1 does not treat the array as a
    * humongous object.
    */
  private val PieceSize = 8192

  /** The column of a single input that needs no conversion and has a fixed shape, as
    * `BatchEncoder.addAll` requires.
    */
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
      into: FixedElements,
      vector: WritableColumnVector,
      element: DataType,
      first: Int,
      count: Int
  ): Unit =
    if (vector.hasDictionary)
      LeafWriter.exact(element, into).writeAll(new ColumnarArray(vector, first, count), count)
    else {
      var done = 0
      while (done < count) {
        val more = math.min(PieceSize, count - done)
        val (piece, offset) = elements(vector, element, first + done, more)
        into.putAll(piece, offset, more)
        done += more
      }
    }

  /** A new array of elements, and the position of the first element in it. */
  private def elements(
      vector: WritableColumnVector,
      element: DataType,
      from: Int,
      count: Int
  ): (AnyRef, Long) = element match {
    case ByteType => vector.getBytes(from, count) -> Platform.BYTE_ARRAY_OFFSET.toLong
    case ShortType => vector.getShorts(from, count) -> Platform.SHORT_ARRAY_OFFSET.toLong
    case IntegerType => vector.getInts(from, count) -> Platform.INT_ARRAY_OFFSET.toLong
    case LongType => vector.getLongs(from, count) -> Platform.LONG_ARRAY_OFFSET.toLong
    case FloatType => vector.getFloats(from, count) -> Platform.FLOAT_ARRAY_OFFSET.toLong
    case _ => vector.getDoubles(from, count) -> Platform.DOUBLE_ARRAY_OFFSET.toLong
  }
}
