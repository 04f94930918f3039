package io.tfspark.tensor

import io.tfspark.model.DType
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters
import org.apache.spark.sql.catalyst.util.{ArrayData, GenericArrayData}
import org.apache.spark.sql.types.DoubleType

/** Reads a column of Spark ML's vectors, dense or sparse. Executor, one thread.
  *
  * A vector is a struct: type (0 sparse, 1 dense), size, indices, values; a dense one has values
  * alone.
  */
final private[tensor] class VectorReader(place: ColumnPlace, dtype: DType, into: FixedElements)
    extends ColumnReader {
  private val leaf = LeafWriter(place.name, DoubleType, dtype, into)
  private var vector: InternalRow = _

  val depth: Int = 1

  def load(row: SpecializedGetters): Boolean =
    !row.isNullAt(place.ordinal) && {
      vector = row.getStruct(place.ordinal, 4)
      true
    }

  def length: Int = if (isDense) values.numElements() else vector.getInt(1)

  def shape: Seq[Int] = Seq(length)

  def write(row: SpecializedGetters): Unit =
    if (isDense) leaf.writeAll(values, values.numElements()) else writeSparse()

  private def writeSparse(): Unit = {
    val (indices, stored) = (vector.getArray(2), values)
    var next = 0
    var index = 0
    while (index < vector.getInt(1)) {
      if (next < indices.numElements() && indices.getInt(next) == index) {
        leaf.write(stored, next)
        next += 1
      } else leaf.write(VectorReader.zero, 0)
      index += 1
    }
  }

  private def isDense: Boolean = vector.getByte(0) == 1
  private def values: ArrayData = vector.getArray(3)
}

private[tensor] object VectorReader {

  /** What a sparse vector or matrix does not store. */
  val zero: ArrayData = new GenericArrayData(Array[Any](0d))
}
