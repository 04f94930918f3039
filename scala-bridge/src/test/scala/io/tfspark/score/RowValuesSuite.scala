package io.tfspark.score

import io.tfspark.model.TensorSpec
import io.tfspark.tensor.RowProblem
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
