package io.tfspark.tensor

import io.tfspark.model.DType
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters
import org.apache.spark.sql.catalyst.util.{ArrayData, GenericArrayData}
import org.apache.spark.sql.types.DoubleType

/** Reads a column of Spark ML's vectors, dense or sparse. Executor, one thread.
  *
  * A vector is a struct: type (0 sparse, 1 dense), size, indices, values; a dense vector has only
  * values.
  */
final private[tensor] class VectorReader(place: ColumnPlace, dtype: DType, into: FixedElements)
    extends StructReader(place, fields = 4, depth = 1) {
  private val leaf = LeafWriter(place.name, DoubleType, dtype, into)

  def length: Int = if (isDense) values.numElements() else struct.getInt(1)

  def shape: Seq[Int] = Seq(length)

  def write(row: SpecializedGetters): Unit =
    if (isDense) leaf.writeAll(values, values.numElements()) else writeSparse()

  private def writeSparse(): Unit = {
    val (indices, stored) = (struct.getArray(2), values)
    var next = 0
    var index = 0
    while (index < struct.getInt(1)) {
      if (next < indices.numElements() && indices.getInt(next) == index) {
        leaf.write(stored, next)
        next += 1
      } else leaf.write(VectorReader.zero, 0)
      index += 1
    }
  }

  private def isDense: Boolean = struct.getByte(0) == 1
  private def values: ArrayData = struct.getArray(3)
}

private[tensor] object VectorReader {

  /** The element that a sparse vector or matrix does not store. */
  val zero: ArrayData = new GenericArrayData(Array[Any](0d))
}
