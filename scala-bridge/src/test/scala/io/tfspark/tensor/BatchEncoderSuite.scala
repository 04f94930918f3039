package io.tfspark.tensor

import java.nio.{ByteBuffer, ByteOrder}

import io.tfspark.error.EngineException
import io.tfspark.model._
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow
import org.apache.spark.sql.catalyst.util.GenericArrayData
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.types.UTF8String
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
    ) == "9.223372036854776E18 does not fit int64")
    assert(refused("int32", FloatType, Float.NaN) == "NaN does not fit int32")
    assert(refused("float32", DoubleType, 1e39) == "1.0E39 does not fit float32")
    assert(refused("float16", FloatType, 65520f) == "65520.0 does not fit float16")
  }

  /** The bytes of the single element that is fed for a value. */
  private def fed(dtype: String, column: DataType, value: Any): ByteBuffer = {
    val rows = encoder(spec(dtype), column)
    assert(rows.add(row(value), 0))
    rows.groups.head.elements(0).copied.order(ByteOrder.nativeOrder)
  }

  private def decimal(text: String): (DataType, Decimal) = {
    val value = Decimal(text)
    (DecimalType(38, value.scale), value)
  }

  test("a decimal is rounded once, from its digits") {
    val halfway = "1.000000059604644775390625" // between two floats
    Seq("0.1", "16777217", halfway, s"${halfway}0000000001", "-3.4e37", "1e-38").foreach { text =>
      val (kind, value) = decimal(new java.math.BigDecimal(text).toPlainString)
      assert(fed("float32", kind, value).getFloat == text.toFloat, text)
      assert(fed("float64", kind, value).getDouble == text.toDouble, text)
    }
    val aboveHalf = decimal("1.00048828125000000000000000000000001")
    assert(fed("float16", aboveHalf._1, aboveHalf._2).getShort == 0x3c01)
    assert(fed("float16", DecimalType(12, 11), Decimal("1.00048828125")).getShort == 0x3c00)
    assert(problem(encoder(spec("float16"), DecimalType(5, 0)), Decimal("70000")) ==
      "70000 does not fit float16")
  }

  test("whole decimals, booleans and integers of any width feed integers, each in range") {
    assert(fed(
      "int64",
      DecimalType(20, 0),
      Decimal("-9223372036854775808")
    ).getLong == Long.MinValue)
    assert(fed("uint8", BooleanType, true).get == 1 && fed(
      "uint32",
      LongType,
      4294967295L
    ).getInt == -1)
    assert(fed("int32", DecimalType(10, 2), Decimal("7.00")).getInt == 7)
    val largest = Decimal("18446744073709551615.0")
    assert(fed("uint64", DecimalType(21, 1), largest).getLong == -1L)
    assert(fed("uint64", LongType, Long.MaxValue).getLong == Long.MaxValue)
    assert(fed("uint64", DoubleType, math.pow(2, 63)).getLong == Long.MinValue)
    assert(fed("uint64", DoubleType, math.pow(2, 64) - 2048).getLong == -2048L)
    assert(fed("float32", BooleanType, true).getFloat == 1f)
    assert(fed("float32", LongType, 16777217L).getFloat == 16777216f)
    Seq(
      ("int64", DecimalType(20, 0), Decimal("9223372036854775808")) -> "9223372036854775808",
      ("uint64", DecimalType(20, 0), Decimal("18446744073709551616")) -> "18446744073709551616",
      ("uint64", DecimalType(20, 0), Decimal("-1")) -> "-1",
      ("uint64", LongType, -1L) -> "-1",
      ("uint64", DoubleType, math.pow(2, 64)) -> "1.8446744073709552E19",
      ("uint64", DoubleType, 0.5) -> "0.5",
      ("uint8", ByteType, (-1).toByte) -> "-1",
      ("int8", DecimalType(5, 2), Decimal("1.50")) -> "1.50",
      ("uint16", LongType, 65536L) -> "65536"
    ).foreach { case ((dtype, kind, value), shown) =>
      assert(problem(encoder(spec(dtype), kind), value) == s"$shown does not fit $dtype")
    }
  }

  test("a fill stands for a null number and for the nulls of an array, not for a null array") {
    def filled(column: DataType, row: Option[Long]*): BatchEncoder = new BatchEncoder(
      Seq(InputBinding(spec("float32", row: _*), Seq("c"), NullRule(fill = Some(0.5)))),
      Seq(Seq(ColumnPlace("c", 0, column)))
    )
    val scalars = filled(DoubleType)
    assert(scalars.add(row(null), 0) && scalars.add(row(2d), 1))
    val floats = scalars.groups.head.elements(0).copied.order(ByteOrder.nativeOrder).asFloatBuffer
    assert((floats.get(0), floats.get(1)) == ((0.5f, 2f)))
    val arrays = filled(ArrayType(FloatType), None)
    assert(arrays.add(row(array(1f, null)), 0) && !arrays.add(row(null), 1))
  }

  test("a null that is refused is a problem of its column") {
    val rows = new BatchEncoder(
      Seq(InputBinding(spec("float32", None), Seq("c"), NullRule(refuse = true))),
      Seq(Seq(ColumnPlace("c", 0, ArrayType(FloatType))))
    )
    assert(rows.add(row(array(1f)), 0))
    Seq(null, array(1f, null)).foreach(value =>
      assert(problem(rows, value) == "a null, which on_null refuses")
    )
  }

  test("rows that share the value of a scalar input are in one group, which holds it once") {
    val rows = new BatchEncoder(
      Seq(
        InputBinding(spec("float32"), Seq("x")),
        InputBinding(TensorSpec("k", "string", Some(Nil), "k:0"), Seq("k"))
      ),
      Seq(Seq(ColumnPlace("x", 0, FloatType)), Seq(ColumnPlace("k", 1, StringType)))
    )
    Seq("a", "b", "a", "").zipWithIndex.foreach { case (text, index) =>
      val values = Array[Any](index.toFloat, UTF8String.fromString(text))
      assert(rows.add(new GenericInternalRow(values), index))
    }
    assert(rows.groups.map(group => (0 until group.size).map(group.row)) ==
      Seq(Seq(0, 2), Seq(1), Seq(3)))
    assert(rows.groups.map(_.elements(1).bytes) == Seq(2L, 2L, 1L))
  }

  test("elements beyond a Java array are an error of ours, and not Java's own") {
    val error = intercept[EngineException](Grown(new Array[Byte](16), Int.MaxValue - 20, 100))
    assert(error.getMessage.contains("found:    2147483727 bytes"), error.getMessage)
    assert(Grown(new Array[Byte](16), 10, 10).length == 32)
  }

  test("elements outlive the growth of their memory") {
    val numbers = new FixedElements(8)
    (0 until 10000).foreach(value => numbers.putLong(value.toLong))
    val found = numbers.copied.order(ByteOrder.nativeOrder).asLongBuffer
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
