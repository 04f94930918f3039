package io.tfspark.tensor

import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters

/** Reads a column of structs that stand for tensors: Spark ML's vectors and matrices, and Spark's
  * images. Executor, one thread.
  *
  * @param fields how many fields the struct has
  * @param depth levels of lists that the struct stands for
  */
abstract private[tensor] class StructReader(
    place: ColumnPlace,
    fields: Int,
    final val depth: Int
) extends ColumnReader {

  /** The struct of the row. */
  protected var struct: InternalRow = _

  final def load(row: SpecializedGetters): Boolean =
    !row.isNullAt(place.ordinal) && {
      struct = row.getStruct(place.ordinal, fields)
      true
    }
}
