package io.tfspark.tensor

import java.nio.{ByteBuffer, ByteOrder}

import io.tfspark.model._
import org.apache.spark.sql.execution.vectorized._
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
    Option.when(isTaken)(into.copied.order(ByteOrder.nativeOrder))
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

  /** A vector of each kind that Spark's readers fill. */
  private def vectors(rows: Int, kind: DataType): Seq[WritableColumnVector] =
    Seq(new OnHeapColumnVector(rows, kind), new OffHeapColumnVector(rows, kind))

  /** A column that feeds an input of the type of its elements, or of another type. */
  private def bulk(vector: WritableColumnVector, kind: DataType, dtype: String = ""): BulkColumn = {
    val element = DType.elementOf(kind)._1
    val own = DType.table.find(one => one.sql == element && one.width == element.defaultSize)
    new BulkColumn(vector, ColumnPlace("c", 0, kind), DType.of(dtype).orElse(own).get)
  }

  private def fill(vector: WritableColumnVector, kind: DataType, count: Int): Unit =
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
  private def withDictionary(vector: WritableColumnVector, count: Int): Unit = {
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
    for (kind <- types; vector <- vectors(4, kind)) {
      fill(vector, kind, 4)
      val column = bulk(vector, kind)
      assert(taken(column, kind, 1).map(numbers(_, kind)).contains(Seq(1d, 2d)), kind)
      withDictionary(vector, 4)
      assert(taken(column, kind, 1, 1).map(numbers(_, kind)).contains(Seq(10d, 20d)), kind)
      assert(taken(column, kind, 2).isEmpty, "one number is no row of two")
      vector.close()
    }
  }

  test("arrays of one length that follow each other are taken in one piece, others are not") {
    for (kind <- types; vector <- vectors(3, ArrayType(kind))) {
      val child = vector.arrayData()
      child.reserve(6)
      fill(child, kind, 6)
      (0 until 3).foreach(row => vector.putArray(row, row * 2, 2))
      val column = bulk(vector, ArrayType(kind))
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
    val kind = ArrayType(ArrayType(IntegerType))
    val vector = new OnHeapColumnVector(3, kind)
    val inner = vector.arrayData()
    val leaf = inner.arrayData()
    inner.reserve(6)
    leaf.reserve(18)
    fill(leaf, IntegerType, 18)
    (0 until 6).foreach(index => inner.putArray(index, index * 3, 3))
    (0 until 3).foreach(row => vector.putArray(row, row * 2, 2))
    val column = bulk(vector, kind)
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
    assert(taken(bulk(vector, FloatType), FloatType, 1).isEmpty)
    vector.close()
  }

  test("elements are read in the memory of the vector; they are copied if more follow") {
    for (kind <- types; vector <- vectors(4, kind)) {
      fill(vector, kind, 4)
      val into = new FixedElements(kind.defaultSize)
      val column = bulk(vector, kind)
      assert(column.appendTo(into, 0, 2, Seq(1)))
      assert(VectorMemory.of(vector, kind, 0).contains(into.place))
      assert(column.appendTo(into, 3, 1, Seq(1)))
      assert(!VectorMemory.of(vector, kind, 0).contains(into.place))
      fill(vector, kind, 1)
      assert(numbers(into.copied.order(ByteOrder.nativeOrder), kind) == Seq(0d, 1d, 3d))
      into.clear()
      assert(into.bytes == 0 && into.copied.remaining == 0)
      vector.close()
    }
  }

  test(
    "doubles are rounded to floats; one that does not fit leaves its rows to be read one by one"
  ) {
    for (vector <- vectors(3, ArrayType(DoubleType))) {
      val child = vector.arrayData()
      child.reserve(6)
      fill(child, DoubleType, 6)
      child.putDouble(3, 0.1)
      (0 until 3).foreach(row => vector.putArray(row, row * 2, 2))
      val column = bulk(vector, ArrayType(DoubleType), "float32")
      assert(taken(column, FloatType, 2).map(numbers(_, FloatType)).contains(
        Seq(2d, 0.1f.toDouble, 4d, 5d)
      ))
      child.putDouble(5, 1e39)
      val spec = TensorSpec("x", "float32", Some(Seq(None, Some(2L))), "x:0")
      val place = ColumnPlace("c", 0, ArrayType(DoubleType))
      val encoder = new BatchEncoder(Seq(InputBinding(spec, Seq("c"))), Seq(Seq(place)))
      assert(!encoder.addAll(column, 0, 3) && encoder.bytes == 0)
      assert(encoder.addAll(column, 0, 2) && encoder.bytes == 16)
      vector.close()
    }
  }
}
