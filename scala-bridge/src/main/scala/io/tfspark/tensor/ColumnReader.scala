package io.tfspark.tensor

import io.tfspark.model._
import org.apache.spark.sql.catalyst.expressions.{SpecializedGetters, UnsafeArrayData}
import org.apache.spark.sql.catalyst.util.ArrayData
import org.apache.spark.sql.types.DataType
import org.apache.spark.unsafe.Platform

/** Where a fed column is in a row, what it is called and its type. */
final case class ColumnPlace(name: String, ordinal: Int, sql: DataType) {

  /** Levels of arrays. */
  val depth: Int = DType.elementOf(sql)._2
}

/** Reads one column of rows: nulls at any depth, the shape of its arrays, its elements. Executor,
  * one thread.
  */
final private[tensor] class ColumnReader(place: ColumnPlace, dtype: DType, into: Elements) {
  private val leaf = LeafWriter(place.name, DType.elementOf(place.sql)._1, dtype, into)

  /** Whether the row's value is null or holds a null at any depth. */
  def isNull(row: SpecializedGetters): Boolean =
    row.isNullAt(place.ordinal) || (place.depth > 0 && holdsNull(
      row.getArray(place.ordinal),
      place.depth
    ))

  /** The row's array. */
  def array(row: SpecializedGetters): ArrayData = row.getArray(place.ordinal)

  /** Lengths of the row's arrays, level by level. */
  def shape(row: SpecializedGetters): Seq[Int] = measure(array(row), place.depth)

  /** Copy all elements of the row. */
  def write(row: SpecializedGetters): Unit =
    if (place.depth == 0) leaf.write(row, place.ordinal) else writeArray(array(row), place.depth)

  private def writeArray(array: ArrayData, depth: Int): Unit =
    if (depth == 1) leaf.writeAll(array, array.numElements())
    else ColumnReader.foreach(array)(inner => writeArray(inner, depth - 1))

  private def holdsNull(array: ArrayData, depth: Int): Boolean = array match {
    case unsafe: UnsafeArrayData if depth == 1 => ColumnReader.hasNullBits(unsafe)
    case _ =>
      (0 until array.numElements()).exists { index =>
        array.isNullAt(index) || (depth > 1 && holdsNull(array.getArray(index), depth - 1))
      }
  }

  private def measure(array: ArrayData, depth: Int): Seq[Int] = {
    val count = array.numElements()
    if (depth == 1) Seq(count)
    else if (count == 0) Seq.fill(depth)(0)
    else {
      val inner = (0 until count).map(index => measure(array.getArray(index), depth - 1)).distinct
      if (inner.size > 1) {
        val lengths = inner.map(_.head).distinct.sorted.mkString(", ")
        throw new RowProblem(place.name, s"its inner lists have different lengths: $lengths")
      }
      count +: inner.head
    }
  }
}

private[tensor] object ColumnReader {

  private def foreach(array: ArrayData)(use: ArrayData => Unit): Unit =
    (0 until array.numElements()).foreach(index => use(array.getArray(index)))

  /** The null bits are 64-bit words after the number of elements. */
  private def hasNullBits(array: UnsafeArrayData): Boolean = {
    val words = (array.numElements() + 63) / 64
    (0 until words).exists { word =>
      Platform.getLong(array.getBaseObject, array.getBaseOffset + 8 + word * 8L) != 0
    }
  }
}
