package io.tfspark.tensor

import io.tfspark.model.DType
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters
import org.apache.spark.sql.types.DoubleType

/** Reads a column of Spark ML's matrices, dense or sparse, row by row of the matrix. Executor, one
  * thread.
  *
  * A matrix is a struct: type (0 sparse, 1 dense), numRows, numCols, colPtrs, rowIndices, values,
  * isTransposed. Values are in column-major order; in a transposed matrix, in row-major order.
  */
final private[tensor] class MatrixReader(place: ColumnPlace, dtype: DType, into: FixedElements)
    extends StructReader(place, fields = 7, depth = 2) {
  private val leaf = LeafWriter(place.name, DoubleType, dtype, into)

  def length: Int = struct.getInt(1)

  def shape: Seq[Int] = Seq(struct.getInt(1), struct.getInt(2))

  def write(row: SpecializedGetters): Unit = {
    val values = struct.getArray(5)
    placesOfValues.foreach { place =>
      if (place < 0) leaf.write(VectorReader.zero, 0) else leaf.write(values, place)
    }
  }

  /** For each element, row by row, the position of its stored value; −1 for a zero that is not
    * stored.
    */
  private def placesOfValues: Array[Int] = {
    val (rows, columns, isTransposed) =
      (struct.getInt(1), struct.getInt(2), struct.getBoolean(6))
    val places = Array.fill(rows * columns)(-1)
    def put(inner: Int, outer: Int, place: Int): Unit = {
      val (row, column) = if (isTransposed) (outer, inner) else (inner, outer)
      places(row * columns + column) = place
    }
    val (inners, outers) = if (isTransposed) (columns, rows) else (rows, columns)
    if (struct.getByte(0) == 1)
      places.indices.foreach(place => put(place % inners, place / inners, place))
    else {
      val (starts, indices) = (struct.getArray(3), struct.getArray(4))
      (0 until outers).foreach { outer =>
        (starts.getInt(outer) until starts.getInt(outer + 1)).foreach { place =>
          put(indices.getInt(place), outer, place)
        }
      }
    }
    places
  }
}
