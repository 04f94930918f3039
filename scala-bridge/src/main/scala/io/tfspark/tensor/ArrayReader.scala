package io.tfspark.tensor

import io.tfspark.model._
import org.apache.spark.sql.catalyst.expressions.{SpecializedGetters, UnsafeArrayData}
import org.apache.spark.sql.catalyst.util.ArrayData
import org.apache.spark.unsafe.Platform

/** Reads a column of scalars or arrays. Executor, one thread. */
final private[tensor] class ArrayReader(
    place: ColumnPlace,
    val depth: Int,
    leaf: LeafWriter,
    nulls: NullRule
) extends ColumnReader {
  private val lengths = new Array[Int](depth)
  private val isFilled = nulls.fill.isDefined
  private var value: ArrayData = _

  def load(row: SpecializedGetters): Boolean =
    if (row.isNullAt(place.ordinal)) depth == 0 && isFilled
    else depth == 0 || {
      value = row.getArray(place.ordinal)
      !holdsNull(value, depth)
    }

  def length: Int = value.numElements()

  def shape: Seq[Int] = {
    java.util.Arrays.fill(lengths, ArrayReader.Unknown)
    measure(value, 0)
    // An empty array has no inner ones to measure.
    lengths.toSeq.map(math.max(_, 0))
  }

  /** Of a scalar column, the element is in the row itself. */
  def write(row: SpecializedGetters): Unit =
    if (depth == 0) leaf.write(row, place.ordinal) else writeArray(value, depth)

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

  /** Whether a null excludes the row; a fill replaces a null element, but not a null array. */
  private def holdsNull(array: ArrayData, depth: Int): Boolean = array match {
    case _ if depth == 1 && isFilled => false
    case unsafe: UnsafeArrayData if depth == 1 => ArrayReader.hasNullBits(unsafe)
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
    if (lengths(level) == ArrayReader.Unknown) lengths(level) = count
    else if (lengths(level) != count) throw ragged
    if (level + 1 < depth) {
      var index = 0
      while (index < count) {
        measure(array.getArray(index), level + 1)
        index += 1
      }
    }
  }

  /** Lists the lengths on the outermost level that has several lengths. */
  private def ragged: RowProblem = {
    val levels = Iterator.iterate(Seq(value)) {
      _.flatMap(array => (0 until array.numElements()).map(array.getArray))
    }
    val several = levels.map(_.map(_.numElements()).distinct.sorted).dropWhile(_.size < 2).next()
    new RowProblem(
      ReasonCode.Ragged,
      place.name,
      s"its inner lists have different lengths: ${several.mkString(", ")}"
    )
  }
}

private[tensor] object ArrayReader {
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
