package io.tfspark.tensor

import io.tfspark.model._
import org.apache.spark.sql.execution.vectorized.WritableColumnVector
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.Platform

/** A column of a columnar batch whose elements may be taken at once: a single input's array or
  * scalar column.
  *
  * Only vectors that Spark fills itself tell where an array starts; of a vector with a dictionary
  * the elements are indices, not values.
  */
final class BulkColumn(vector: WritableColumnVector, place: ColumnPlace) {

  /** An object and an offset with the elements of some rows; nothing when they are not there in one
    * piece.
    */
  private[tensor] def elements(first: Int, rows: Int, rowSize: Int): Option[(AnyRef, Long)] =
    if (vector.hasNull) None
    else if (place.depth == 0)
      Option.when(rowSize == 1)(vector).flatMap(BulkColumn.copy(_, place.sql, first, rows))
    else {
      val start = vector.getArrayOffset(first)
      val inOnePiece = (0 until rows).forall { row =>
        vector.getArrayLength(first + row) == rowSize && vector.getArrayOffset(
          first + row
        ) == start + row * rowSize
      }
      Option.when(inOnePiece)(vector.arrayData()).filterNot(_.hasNull).flatMap { child =>
        BulkColumn.copy(child, DType.elementOf(place.sql)._1, start, rows * rowSize)
      }
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
  ): Option[(AnyRef, Long)] =
    Option.unless(vector.hasDictionary) {
      element match {
        case ByteType => vector.getBytes(from, count) -> Platform.BYTE_ARRAY_OFFSET.toLong
        case ShortType => vector.getShorts(from, count) -> Platform.SHORT_ARRAY_OFFSET.toLong
        case IntegerType => vector.getInts(from, count) -> Platform.INT_ARRAY_OFFSET.toLong
        case LongType => vector.getLongs(from, count) -> Platform.LONG_ARRAY_OFFSET.toLong
        case FloatType => vector.getFloats(from, count) -> Platform.FLOAT_ARRAY_OFFSET.toLong
        case _ => vector.getDoubles(from, count) -> Platform.DOUBLE_ARRAY_OFFSET.toLong
      }
    }
}
