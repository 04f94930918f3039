package io.tfspark.sql

import org.apache.spark.sql.types.Decimal
import org.apache.spark.sql.vectorized._
import org.apache.spark.unsafe.types.UTF8String

/** The rows of a column from a position on, without a copy. Executor, one thread.
  *
  * @param column belongs to its own batch, which closes it
  */
final private[sql] class ColumnPart(column: ColumnVector, from: Int)
    extends ColumnVector(column.dataType) {
  override def close(): Unit = ()
  override def hasNull: Boolean = column.hasNull
  override def numNulls: Int = column.numNulls
  override def isNullAt(row: Int): Boolean = column.isNullAt(from + row)
  override def getBoolean(row: Int): Boolean = column.getBoolean(from + row)
  override def getByte(row: Int): Byte = column.getByte(from + row)
  override def getShort(row: Int): Short = column.getShort(from + row)
  override def getInt(row: Int): Int = column.getInt(from + row)
  override def getLong(row: Int): Long = column.getLong(from + row)
  override def getFloat(row: Int): Float = column.getFloat(from + row)
  override def getDouble(row: Int): Double = column.getDouble(from + row)
  override def getArray(row: Int): ColumnarArray = column.getArray(from + row)
  override def getMap(row: Int): ColumnarMap = column.getMap(from + row)
  override def getUTF8String(row: Int): UTF8String = column.getUTF8String(from + row)
  override def getBinary(row: Int): Array[Byte] = column.getBinary(from + row)

  override def getDecimal(row: Int, precision: Int, scale: Int): Decimal =
    column.getDecimal(from + row, precision, scale)

  override def getChild(ordinal: Int): ColumnVector =
    new ColumnPart(column.getChild(ordinal), from)
}
