package io.tfspark.score

import io.tfspark.model.{ReasonCode, TensorSpec}
import io.tfspark.tensor.RowProblem
import org.apache.spark.sql.catalyst.util.{ArrayData, GenericArrayData}
import org.apache.spark.sql.types.Decimal
import org.scalatest.funsuite.AnyFunSuite

class RowValuesSuite extends AnyFunSuite {

  private def unsigned(value: Any): Any =
    RowValues.toRow(TensorSpec("x", "uint64", Some(Seq(None)), "x:0"), value)

  test("any whole number becomes a decimal for an input of uint64") {
    assert(unsigned(7) == Decimal(7) && unsigned(7.0) == Decimal(7))
    assert(unsigned(BigInt(2).pow(64) - 1) == Decimal("18446744073709551615"))
    Seq[Any](0.5, Double.NaN, BigInt(10).pow(20)).foreach(value =>
      assert(intercept[RowProblem](unsigned(value)).problem.contains("does not fit"))
    )
  }

  private def toRow(dtype: String, shape: Option[Long]*)(value: Any): Any =
    RowValues.toRow(TensorSpec("x", dtype, Some(None +: shape), "x:0"), value) match {
      case array: GenericArrayData => array.array.toSeq.map(text)
      case other => text(other)
    }

  private def text(value: Any): String = value match {
    case array: ArrayData => array.toFloatArray().mkString("[", " ", "]")
    case other => String.valueOf(other)
  }

  private def code(dtype: String, shape: Option[Long]*)(value: Any): ReasonCode =
    intercept[RowProblem](toRow(dtype, shape: _*)(value)).code

  test("a number feeds a row of shape (1,), and a flat list a matrix") {
    val one = toRow("float32", Some(1L)) _
    assert(one(7) == Seq("7.0") && one(Seq(7)) == Seq("7.0"))
    assert(toRow("string", Some(1L))("a") == Seq("a") && one(null) == "null")
    assert(toRow("string", Some(1L))("a".getBytes) == Seq("a"))
    val matrix = toRow("float32", Some(2L), Some(3L)) _
    val rows = Seq("[1.0 2.0 3.0]", "[4.0 5.0 6.0]")
    assert(matrix(1 to 6) == rows && matrix(Array(1f, 2f, 3f, 4f, 5f, 6f)) == rows)
    assert(matrix(Seq[Any](Seq(1, 2, 3), Array(4, 5, 6))) == rows)
    assert(code("float32", Some(2L), Some(3L))(1 to 5) == ReasonCode.WrongShape)
    assert(code("float32", None, Some(3L))(1 to 6) == ReasonCode.Unreadable)
  }

  test("a value of another kind is unreadable, not out of range") {
    assert(code("string")(1) == ReasonCode.Unreadable)
    assert(code("bool")(1) == ReasonCode.Unreadable)
    assert(code("float32")("a") == ReasonCode.Unreadable)
    assert(code("float32")(Seq(1)) == ReasonCode.Unreadable)
    assert(code("int8")(300) == ReasonCode.OutOfRange)
  }

  private def half(value: Any): Any =
    RowValues.toRow(TensorSpec("x", "float16", Some(Seq(None)), "x:0"), value)

  test("any number becomes the nearest half, in one step") {
    val next = 1f + 1f / 1024
    assert(half(1.00048828125) == 1f)
    assert(half(1.000488281250001) == next)
    assert(half(BigDecimal("1.00048828125000000001")) == next)
    assert(half(new java.math.BigDecimal("1.00048828124999999999")) == 1f)
    assert(half(2049L) == 2048f && half(2051) == 2052f && half(BigInt(3)) == 3f)
    assert(half(Float.NegativeInfinity) == Float.NegativeInfinity)
    Seq[Any](65520, 1e300, BigDecimal("65520")).foreach(value =>
      assert(intercept[RowProblem](half(value)).problem.contains("does not fit"))
    )
  }
}
