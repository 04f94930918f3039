package io.tfspark.tensor

import java.nio.{ByteBuffer, ByteOrder}

import org.apache.spark.sql.execution.vectorized.{Dictionary, OnHeapColumnVector}
import org.apache.spark.sql.types._
import org.scalatest.funsuite.AnyFunSuite

class BulkColumnSuite extends AnyFunSuite {

  private val types =
    Seq[DataType](ByteType, ShortType, IntegerType, LongType, FloatType, DoubleType)

  /** The bytes copied from two rows, starting with the second row; none when they cannot be copied
    * at once.
    */
  private def taken(column: BulkColumn, kind: DataType, shape: Int*): Option[ByteBuffer] = {
    val into = new FixedElements(kind.defaultSize)
    val isTaken = column.appendTo(into, 1, 2, shape)
    assert(isTaken || into.bytes == 0)
    val bytes = ByteBuffer.wrap(into.array, 0, into.bytes.toInt).slice
    Option.when(isTaken)(bytes.order(ByteOrder.nativeOrder))
  }

  private def numbers(bytes: ByteBuffer, kind: DataType): Seq[Double] = {
    val count = bytes.remaining / kind.defaultSize
    (0 until count).map { index =>
      kind match {
        case ByteType => bytes.get(index).toDouble
        case ShortType => bytes.asShortBuffer.get(index).toDouble
        case IntegerType => bytes.asIntBuffer.get(index).toDouble
        case LongType => bytes.asLongBuffer.get(index).toDouble
        case FloatType => bytes.asFloatBuffer.get(index).toDouble
        case _ => bytes.asDoubleBuffer.get(index)
      }
    }
  }

  private def fill(vector: OnHeapColumnVector, kind: DataType, count: Int): Unit =
    (0 until count).foreach { index =>
      kind match {
        case ByteType => vector.putByte(index, index.toByte)
        case ShortType => vector.putShort(index, index.toShort)
        case IntegerType => vector.putInt(index, index)
        case LongType => vector.putLong(index, index.toLong)
        case FloatType => vector.putFloat(index, index.toFloat)
        case _ => vector.putDouble(index, index.toDouble)
      }
    }

  /** Encodes the vector with a dictionary: each value is an index, and its entry is ten times the
    * value.
    */
  private def withDictionary(vector: OnHeapColumnVector, count: Int): Unit = {
    val ids = vector.reserveDictionaryIds(count)
    (0 until count).foreach(index => ids.putInt(index, index))
    vector.setDictionary(new Dictionary {
      def decodeToInt(id: Int): Int = id * 10
      def decodeToLong(id: Int): Long = id * 10L
      def decodeToFloat(id: Int): Float = id * 10f
      def decodeToDouble(id: Int): Double = id * 10d
      def decodeToBinary(id: Int): Array[Byte] = Array(id.toByte)
    })
  }

  test("a scalar column is taken in one piece, out of a dictionary too") {
    types.foreach { kind =>
      val vector = new OnHeapColumnVector(4, kind)
      fill(vector, kind, 4)
      val column = new BulkColumn(vector, ColumnPlace("c", 0, kind))
      assert(taken(column, kind, 1).map(numbers(_, kind)).contains(Seq(1d, 2d)), kind)
      withDictionary(vector, 4)
      assert(taken(column, kind, 1, 1).map(numbers(_, kind)).contains(Seq(10d, 20d)), kind)
      assert(taken(column, kind, 2).isEmpty, "one number is no row of two")
      vector.close()
    }
  }

  test("arrays of one length that follow each other are taken in one piece, others are not") {
    types.foreach { kind =>
      val place = ColumnPlace("c", 0, ArrayType(kind))
      val vector = new OnHeapColumnVector(3, place.sql)
      val child = vector.arrayData().asInstanceOf[OnHeapColumnVector]
      child.reserve(6)
      fill(child, kind, 6)
      (0 until 3).foreach(row => vector.putArray(row, row * 2, 2))
      val column = new BulkColumn(vector, place)
      assert(taken(column, kind, 2).map(numbers(_, kind)).contains(Seq(2d, 3d, 4d, 5d)), kind)
      assert(taken(column, kind, 3).isEmpty)
      vector.putArray(2, 3, 2)
      assert(taken(column, kind, 2).isEmpty, "they overlap")
      vector.putArray(2, 4, 2)
      child.putNull(5)
      assert(taken(column, kind, 2).isEmpty, "an element is null")
      vector.close()
    }
  }

  test("arrays of arrays are taken in one piece when those within have one length too") {
    val place = ColumnPlace("c", 0, ArrayType(ArrayType(IntegerType)))
    val vector = new OnHeapColumnVector(3, place.sql)
    val inner = vector.arrayData().asInstanceOf[OnHeapColumnVector]
    val leaf = inner.arrayData().asInstanceOf[OnHeapColumnVector]
    inner.reserve(6)
    leaf.reserve(18)
    fill(leaf, IntegerType, 18)
    (0 until 6).foreach(index => inner.putArray(index, index * 3, 3))
    (0 until 3).foreach(row => vector.putArray(row, row * 2, 2))
    val column = new BulkColumn(vector, place)
    val found = taken(column, IntegerType, 2, 3).map(numbers(_, IntegerType))
    assert(found.contains((6 until 18).map(_.toDouble)))
    assert(taken(column, IntegerType, 3, 2).isEmpty)
    inner.putArray(4, 12, 2)
    assert(taken(column, IntegerType, 2, 3).isEmpty, "ragged")
    vector.close()
  }

  test("a column with a null is not taken in one piece") {
    val vector = new OnHeapColumnVector(4, FloatType)
    fill(vector, FloatType, 4)
    vector.putNull(0)
    assert(taken(new BulkColumn(vector, ColumnPlace("c", 0, FloatType)), FloatType, 1).isEmpty)
    vector.close()
  }
}
