package io.tfspark.tensor

import scala.annotation.tailrec

import io.tfspark.model._
import org.apache.spark.sql.execution.vectorized.WritableColumnVector
import org.apache.spark.sql.types._
import org.apache.spark.sql.vectorized.ColumnarArray

/** A column of a columnar batch whose elements may be taken at once. It is the array or scalar
  * column of a single input.
  *
  * Only vectors that Spark itself fills expose the start of an array.
  *
  * @param dtype the type of the input
  * @param from position in the vector of the first row
  */
final class BulkColumn(
    vector: WritableColumnVector,
    place: ColumnPlace,
    dtype: DType,
    from: Int = 0
) {

  private val (element, depth) = DType.elementOf(place.sql)
  private val isExact = DType.conversion(element, dtype).contains(Conversion.Exact)

  /** Take the elements of rows of one shape; returns false, and takes nothing, if they are not
    * contiguous. The vector must not change before the elements are cleared. An element that does
    * not fit raises `RowProblem`, after some elements were taken.
    */
  private[tensor] def appendTo(
      into: FixedElements,
      first: Int,
      rows: Int,
      shape: Seq[Int]
  ): Boolean =
    depth match {
      case 0 => shape.product == 1 && append(into, vector, from + first, rows, Nil)
      case 1 => append(into, vector, from + first, rows, Seq(shape.product))
      case _ => append(into, vector, from + first, rows, shape)
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
        take(into, vector, first, count)
        true
    })

  private def take(
      into: FixedElements,
      vector: WritableColumnVector,
      first: Int,
      count: Int
  ): Unit =
    (VectorMemory.of(vector, element, first), LeafWriter(place.name, element, dtype, into)) match {
      case (Some((base, offset)), _) if isExact => into.refer(base, offset, count)
      case (Some((base, offset)), writer: ContiguousWriter) => writer.writeAll(base, offset, count)
      case (_, writer) => writer.writeAll(new ColumnarArray(vector, first, count), count)
    }
}

object BulkColumn {

  /** The column of a single input that has a fixed shape, as `BatchEncoder.addAll` requires, and
    * needs no conversion, or only rounds doubles to floats.
    */
  def placeOf(inputs: Seq[InputBinding], places: Seq[Seq[ColumnPlace]]): Option[ColumnPlace] =
    (inputs, places) match {
      case (Seq(input), Seq(Seq(place))) if input.spec.rowSize.isDefined =>
        val element = DType.elementOf(place.sql)._1
        val isExact = DType.conversion(element, input.dtype).contains(Conversion.Exact)
        val isRounded = element == DoubleType && input.dtype.name == "float32"
        val isNumber = input.dtype.width > 0 && element != BooleanType
        Option.when((isExact || isRounded) && isNumber)(place)
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
}
