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
  private val lengths = new Array[Int](place.depth)
  private var value: ArrayData = _

  /** Take the row's value; tells whether it is there, without a null at any depth. */
  def load(row: SpecializedGetters): Boolean =
    !row.isNullAt(place.ordinal) && (place.depth == 0 || {
      value = row.getArray(place.ordinal)
      !holdsNull(value, place.depth)
    })

  /** The length of the outermost array. */
  def length: Int = value.numElements()

  /** Lengths of the arrays, level by level. */
  def shape: Seq[Int] = {
    java.util.Arrays.fill(lengths, ColumnReader.Unknown)
    measure(value, 0)
    // An empty array has no inner ones to measure.
    lengths.toSeq.map(math.max(_, 0))
  }

  /** Copy all elements; of a scalar column they are in the row itself. */
  def write(row: SpecializedGetters): Unit =
    if (place.depth == 0) leaf.write(row, place.ordinal) else writeArray(value, place.depth)

  private def writeArray(array: ArrayData, depth: Int): Unit =
    if (depth == 1) leaf.writeAll(array, array.numElements())
    else {
      val count = array.numElements()
      var index = 0
      while (index < count) {
        writeArray(array.getArray(index), depth - 1)
        index += 1
      }
    }

  private def holdsNull(array: ArrayData, depth: Int): Boolean = array match {
    case unsafe: UnsafeArrayData if depth == 1 => ColumnReader.hasNullBits(unsafe)
    case _ =>
      val count = array.numElements()
      var index = 0
      var found = false
      while (!found && index < count) {
        found = array.isNullAt(index) ||
          (depth > 1 && holdsNull(array.getArray(index), depth - 1))
        index += 1
      }
      found
  }

  private def measure(array: ArrayData, level: Int): Unit = {
    val count = array.numElements()
    if (lengths(level) == ColumnReader.Unknown) lengths(level) = count
    else if (lengths(level) != count) throw ragged
    if (level + 1 < place.depth) {
      var index = 0
      while (index < count) {
        measure(array.getArray(index), level + 1)
        index += 1
      }
    }
  }

  /** Says which lengths there are on the outermost level with several. */
  private def ragged: RowProblem = {
    val levels = Iterator.iterate(Seq(value)) {
      _.flatMap(array => (0 until array.numElements()).map(array.getArray))
    }
    val several = levels.map(_.map(_.numElements()).distinct.sorted).dropWhile(_.size < 2).next()
    new RowProblem(
      place.name,
      s"its inner lists have different lengths: ${several.mkString(", ")}"
    )
  }
}

private[tensor] object ColumnReader {
  private val Unknown: Int = -1

  /** The null bits are 64-bit words after the number of elements. */
  private def hasNullBits(array: UnsafeArrayData): Boolean = {
    val words = (array.numElements() + 63) / 64
    var word = 0
    var found = false
    while (!found && word < words) {
      found = Platform.getLong(array.getBaseObject, array.getBaseOffset + 8 + word * 8L) != 0
      word += 1
    }
    found
  }
}
