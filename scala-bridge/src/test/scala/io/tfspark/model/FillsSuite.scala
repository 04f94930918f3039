package io.tfspark.model

import org.apache.spark.sql.types.DecimalType
import org.scalatest.funsuite.AnyFunSuite

class FillsSuite extends AnyFunSuite {

  test("a fill of a decimal column is not rounded") {
    val kind = DecimalType(2, 1)
    val kept = Seq[Any](0.5, " 1.5 ", 7, true)
    kept.foreach(fill => assert(Fills.valueOf(fill, kind).nonEmpty, fill))
    val changed = Seq[Any](0.25, "0.25", 100, "one")
    changed.foreach(fill => assert(Fills.valueOf(fill, kind).isEmpty, fill))
  }
}
