package io.tfspark.tensor

import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters

/** Reads a column of structs that represent tensors: Spark ML's vectors and matrices, and Spark's
  * images. Executor, one thread.
  *
  * @param fields number of fields of the struct
  * @param depth levels of lists that the struct represents
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
