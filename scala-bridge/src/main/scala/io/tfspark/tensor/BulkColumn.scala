package io.tfspark.tensor

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

  /** An object and an offset with the elements of some rows; nothing when they are not there in one
    * piece.
    */
  private[tensor] def elements(first: Int, rows: Int, rowSize: Int): Option[(AnyRef, Long)] =
    if (vector.hasNull) None
    else if (place.depth == 0)
      Option.when(rowSize == 1)(BulkColumn.copy(vector, place.sql, first, rows))
    else
      Option.when(isInOnePiece(first, rows, rowSize))(vector.arrayData()).filterNot(_.hasNull).map {
        BulkColumn.copy(
          _,
          DType.elementOf(place.sql)._1,
          vector.getArrayOffset(first),
          rows * rowSize
        )
      }

  private def isInOnePiece(first: Int, rows: Int, rowSize: Int): Boolean = {
    val start = vector.getArrayOffset(first)
    var row = 0
    while (
      row < rows && vector.getArrayLength(first + row) == rowSize &&
      vector.getArrayOffset(first + row) == start + row * rowSize
    ) row += 1
    row == rows
  }
}

object BulkColumn {

  /** The single column of a single exact, fixed input: what `BatchEncoder.addAll` takes. */
  def placeOf(inputs: Seq[InputBinding], places: Seq[Seq[ColumnPlace]]): Option[ColumnPlace] =
    (inputs, places) match {
      case (Seq(input), Seq(Seq(place))) if place.depth <= 1 && input.spec.rowSize.isDefined =>
        val element = DType.elementOf(place.sql)._1
        val isExact = DType.conversion(element, input.dtype).contains(Conversion.Exact)
        Option.when(isExact && input.dtype.width > 0 && element != BooleanType)(place)
      case _ => None
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
