package io.tfspark.model

import io.tfspark.sql.OptionTexts
import org.apache.spark.sql.types.{DecimalType, LongType}
import org.scalatest.funsuite.AnyFunSuite

class FillsSuite extends AnyFunSuite {

  test("a fill of a decimal column is not rounded") {
    val kind = DecimalType(2, 1)
    val kept = Seq[Any](0.5, " 1.5 ", 7, true)
    kept.foreach(fill => assert(Fills.valueOf(fill, kind).nonEmpty, fill))
    val changed = Seq[Any](0.25, "0.25", 100, "one")
    changed.foreach(fill => assert(Fills.valueOf(fill, kind).isEmpty, fill))
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
