package io.tfspark.tensor

import io.tfspark.error.EngineException
import io.tfspark.model._
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow
import org.apache.spark.sql.catalyst.util.GenericArrayData
import org.apache.spark.sql.types._
import org.scalatest.funsuite.AnyFunSuite

class BatchEncoderSuite extends AnyFunSuite {

  private def spec(dtype: String, row: Option[Long]*): TensorSpec =
    TensorSpec("x", dtype, Some(None +: row), "x:0")

  private def encoder(spec: TensorSpec, column: DataType): BatchEncoder =
    new BatchEncoder(
      Seq(InputBinding(spec, Seq("c"))),
      Seq(Seq(ColumnPlace("c", 0, column)))
    )

  private def row(value: Any): GenericInternalRow = new GenericInternalRow(Array[Any](value))

  private def array(values: Any*): GenericArrayData = new GenericArrayData(values.toArray[Any])

  private def problem(encoder: BatchEncoder, value: Any): String =
    intercept[RowProblem](encoder.add(row(value), 0)).problem

  test("rows of different lengths are grouped, each group in row order") {
    val rows = encoder(spec("float64", None), ArrayType(DoubleType))
    val values = Seq(array(1d), array(1d, 2d), array(), array(3d), array(4d, 5d))
    values.zipWithIndex.foreach { case (value, index) => assert(rows.add(row(value), index)) }
    val found = rows.groups.map(group => group.shapes -> (0 until group.size).map(group.row))
    assert(found == Seq(Seq(Seq(1)) -> Seq(0, 3), Seq(Seq(2)) -> Seq(1, 4), Seq(Seq(0)) -> Seq(2)))
  }

  test("a null at any depth keeps a row out of all groups") {
    val rows = encoder(spec("float64", None, Some(2)), ArrayType(ArrayType(DoubleType)))
    Seq(null, array(array(1d, null)), array(null)).foreach(value =>
      assert(!rows.add(row(value), 0))
    )
    assert(rows.groups.isEmpty)
  }

  test("a matrix is taken nested or flat, and what is ragged or of another shape is refused") {
    val matrix = spec("float64", Some(2), Some(2))
    val nested = encoder(matrix, ArrayType(ArrayType(DoubleType)))
    assert(nested.add(row(array(array(1d, 2d), array(3d, 4d))), 0))
    assert(problem(
      nested,
      array(array(1d, 2d), array(3d))
    ) == "its inner lists have different lengths: 1, 2")
    assert(problem(
      nested,
      array(array(1d), array(3d))
    ) == "expected a row of shape (2, 2), found (2, 1)")
    assert(problem(
      nested,
      array(array(1d, 2d), array(3d), array(), array(4d))
    ) == "its inner lists have different lengths: 0, 1, 2")
    assert(problem(nested, array()) == "expected a row of shape (2, 2), found (0, 0)")
    val flat = encoder(matrix, ArrayType(DoubleType))
    assert(flat.add(row(array(1d, 2d, 3d, 4d)), 0))
    assert(problem(flat, array(1d, 2d, 3d)) == "expected a row of shape (2, 2), found (3,)")
    assert(flat.groups.map(_.shapes) == Seq(Seq(Seq(2, 2))))
  }

  test("an empty outer array has the known inner lengths") {
    val rows = encoder(spec("float64", None, Some(3)), ArrayType(ArrayType(DoubleType)))
    assert(rows.add(row(array()), 0))
    assert(rows.groups.map(_.shapes) == Seq(Seq(Seq(0, 3))))
  }

  test("values are narrowed where they fit, and never wrapped") {
    def add(dtype: String, column: DataType, value: Any): Boolean =
      encoder(spec(dtype), column).add(row(value), 0)
    def refused(dtype: String, column: DataType, value: Any): String =
      problem(encoder(spec(dtype), column), value)
    assert(add("uint8", ShortType, 255.toShort) && add("int8", LongType, -128L) && add(
      "int32",
      DoubleType,
      -2147483648d
    ))
    assert(add("float32", DoubleType, 0.1) && add("float32", DoubleType, Double.NaN) && add(
      "float16",
      FloatType,
      65504f
    ))
    assert(add("float32", DoubleType, Double.PositiveInfinity) && add(
      "uint32",
      LongType,
      4294967295L
    ))
    assert(add("int64", DoubleType, -9223372036854775808d))
    assert(refused("uint8", ShortType, 256.toShort) == "256 does not fit uint8")
    assert(refused("uint16", IntegerType, -1) == "-1 does not fit uint16")
    assert(refused("int8", DoubleType, 0.5) == "0.5 does not fit int8")
    assert(refused(
      "int64",
      DoubleType,
      9.223372036854776e18
    ) == "9.223372036854776e+18 does not fit int64")
    assert(refused("int32", FloatType, Float.NaN) == "nan does not fit int32")
    assert(refused("float32", DoubleType, 1e39) == "1e+39 does not fit float32")
    assert(refused("float16", FloatType, 65520f) == "65520.0 does not fit float16")
  }

  test("elements beyond a Java array are an error of ours, and not Java's own") {
    val error = intercept[EngineException](Grown(new Array[Byte](16), Int.MaxValue - 20, 100))
    assert(error.getMessage.contains("found:    2147483727 bytes"), error.getMessage)
    assert(Grown(new Array[Byte](16), 10, 10).length == 32)
  }

  test("elements outlive the growth of their memory") {
    val numbers = new FixedElements(8)
    (0 until 10000).foreach(value => numbers.putLong(value.toLong))
    val found =
      java.nio.ByteBuffer.wrap(numbers.array).order(java.nio.ByteOrder.nativeOrder).asLongBuffer
    assert((0 until 10000).forall(index => found.get(index) == index))
    val strings = new StringElements
    val words = (0 until 3000).map(index => s"word $index".getBytes)
    words.foreach(strings.put(_: Array[Byte]))
    assert(words.indices.forall(index =>
      strings.array.slice(
        strings.end(index),
        strings.end(index + 1)
      ).sameElements(words(index) :+ 0.toByte)
    ))
  }
}
