package io.tfspark.sql

import io.tfspark.tensor.Grown
import org.apache.spark.sql.catalyst.expressions.UnsafeRow
import org.apache.spark.unsafe.Platform

/** Rows that wait for their results, as bytes in one array. Executor, one thread. */
final private[sql] class KeptRows(fields: Int) {
  private var memory = new Array[Byte](1 << 16)
  private var ends = new Array[Int](1 << 10)
  private var count = 0
  private val view = new UnsafeRow(fields)

  def size: Int = count

  /** Whether the limit of kept bytes is reached, so that memory does not grow with the width of
    * rows.
    */
  def isFull: Boolean = end(count) >= KeptRows.MostBytes

  def clear(): Unit = count = 0

  /** Copy a row. */
  def add(row: UnsafeRow): Unit = {
    val length = row.getSizeInBytes
    memory = Grown(memory, end(count), length)
    if (count == ends.length) ends = java.util.Arrays.copyOf(ends, count * 2)
    row.writeToMemory(memory, Platform.BYTE_ARRAY_OFFSET.toLong + end(count))
    ends(count) = end(count) + length
    count += 1
  }

  /** A row as it was added; valid until the next call. */
  def row(index: Int): UnsafeRow = {
    view.pointTo(
      memory,
      Platform.BYTE_ARRAY_OFFSET.toLong + end(index),
      end(index + 1) - end(index)
    )
    view
  }

  private def end(index: Int): Int = if (index == 0) 0 else ends(index - 1)
}

private[sql] object KeptRows {
  val MostBytes: Int = 32 << 20
}
