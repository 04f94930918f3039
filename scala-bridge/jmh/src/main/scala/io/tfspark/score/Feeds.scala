package io.tfspark.score

import io.tfspark.engine.NativeLibrary
import io.tfspark.model._
import io.tfspark.tensor._
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection
import org.apache.spark.sql.execution.vectorized.WritableColumnVector
import org.apache.spark.sql.types.StructType

/** One input, and its encoder in a task. */
sealed abstract private[score] class Feed(spec: TensorSpec, schema: StructType) {
  NativeLibrary.load()

  protected val places: Seq[ColumnPlace] = schema.fields.toSeq.zipWithIndex.map {
    case (field, at) => ColumnPlace(field.name, at, field.dataType)
  }
  protected val encoder =
    new BatchEncoder(Seq(InputBinding(spec, schema.fieldNames.toSeq)), Seq(places))

  protected def fill(): Unit

  /** Make the tensor of a batch and release it; returns its bytes. */
  final def encode(): Long = {
    encoder.clear()
    fill()
    encoder.groups.foreach(group => Part(group, 0, group.size).tensor(0, Some(group.size)).close())
    encoder.bytes
  }
}

/** Rows as Spark passes them. */
final private[score] class RowFeed(
    spec: TensorSpec,
    schema: StructType,
    count: Int
)(values: Int => Seq[Any])
    extends Feed(spec, schema) {
  private val rows: Array[InternalRow] = {
    val projection = UnsafeProjection.create(schema)
    Array.tabulate(count)(row => projection(InternalRow.fromSeq(values(row))).copy())
  }

  override protected def fill(): Unit = {
    var index = 0
    while (index < rows.length && encoder.add(rows(index), index)) index += 1
    if (index < rows.length) throw new IllegalStateException(s"row $index was not fed")
  }
}

/** A column as in a columnar batch. */
final private[score] class ColumnFeed(spec: TensorSpec, vector: WritableColumnVector, count: Int)
    extends Feed(spec, new StructType().add("x", vector.dataType)) {
  private val dtype = InputBinding(spec, Nil).dtype

  override protected def fill(): Unit =
    if (!encoder.addAll(new BulkColumn(vector, places.head, dtype), 0, count))
      throw new IllegalStateException("the column was not taken at once")
}
