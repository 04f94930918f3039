package io.tfspark.model

import io.tfspark.sql.OptionTexts
import org.apache.spark.sql.types._
import org.scalatest.funsuite.AnyFunSuite

class FillsSuite extends AnyFunSuite {

  test("a fill of a decimal column is not rounded") {
    val kind = DecimalType(2, 1)
    val kept = Seq[Any](0.5, " 1.5 ", 7, true)
    kept.foreach(fill => assert(Fills.valueOf(fill, kind).nonEmpty, fill))
    val changed = Seq[Any](0.25, "0.25", 100, "one")
    changed.foreach(fill => assert(Fills.valueOf(fill, kind).isEmpty, fill))
  }

  test("a boolean is filled with 0 or 1, and a float with a number that it can hold") {
    Seq[Any](true, 0, 1d, "true").foreach(fill =>
      assert(Fills.valueOf(fill, BooleanType).nonEmpty, fill)
    )
    Seq[Any](-1, 0.5, Double.NaN).foreach(fill =>
      assert(Fills.valueOf(fill, BooleanType).isEmpty, fill)
    )
    Seq[Any](Double.PositiveInfinity, "-Infinity", Double.NaN, 1.5).foreach(fill =>
      assert(Fills.valueOf(fill, FloatType).nonEmpty, fill)
    )
    Seq[Any](1e300, "1e300", -1e39).foreach(fill =>
      assert(Fills.valueOf(fill, FloatType).isEmpty, fill)
    )
  }

  test("a number fills no input of booleans") {
    val spec = TensorSpec("b", "bool", None, "b:0")
    assert(OnNull.Fill(1d).rule(spec) == NullRule())
    assert(OnNull.Fill(true).rule(spec).fill.contains(true))
  }

  test("a whole number that a long cannot hold is not changed") {
    val largest = "18446744073709551615"
    Seq(largest, s"""{"n": $largest}""").foreach { text =>
      val rule = OptionTexts.onNull("on_null", text).rule(TensorSpec("n", "uint64", None, "n:0"))
      val fill = rule.fill.getOrElse(fail(text))
      assert(Fills.valueOf(fill, DecimalType(20, 0)).map(_.toString).contains(largest))
      assert(Fills.valueOf(fill, LongType).isEmpty)
    }
    val long = OnNull.Fill(BigInt(10).pow(39).toDouble)
    assert(OptionTexts.onNull("on_null", s"1${"0" * 39}") == long)
  }
}
