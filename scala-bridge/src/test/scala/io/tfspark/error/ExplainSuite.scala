package io.tfspark.error

import org.scalatest.funsuite.AnyFunSuite

class ExplainSuite extends AnyFunSuite {

  test("the name that was meant is the closest one, in any case") {
    val known = Seq(
      ("inptus", Seq("inputs", "outputs"), Some("inputs")),
      ("features", Seq("feature", "labels"), Some("feature")),
      ("scores", Seq("probabilities", "score"), Some("score")),
      ("serving_defaults", Seq("serving_default", "raw"), Some("serving_default")),
      ("class", Seq("a-b", "glass"), Some("glass")),
      ("Inputs", Seq("INPUTS"), Some("INPUTS")),
      ("x", Seq("y", "z"), None),
      ("abcd", Seq("dcba"), None),
      ("x", Nil, None),
      ("", Seq("x", ""), None)
    )
    known.foreach { case (name, names, meant) =>
      assert(
        Explain.didYouMean(name, names) == meant.fold("")(one => s" Did you mean '$one'?"),
        name
      )
    }
  }

  test("unknown columns are counted and the known ones are listed") {
    val message = Explain.unknown("Columns to keep do not exist", Seq("idd", "q"), Seq("id", "x"))
    assert(message == """Columns to keep do not exist: 2 mismatches
                        |  - there is no column 'idd'. Did you mean 'id'?
                        |  - there is no column 'q'.
                        |Hint: available columns: id, x.""".stripMargin)
  }

  test("a list counts what it leaves out") {
    val text = Explain.listing((0 until 1000000).map(_.toString))
    assert(text.startsWith("'0', '1', ") && text.endsWith("'49', and 999950 more"))
  }
}
