package io.tfspark.error

import org.scalatest.funsuite.AnyFunSuite

class ExplainSuite extends AnyFunSuite {

  test("the name that was meant is the one that Python finds") {
    // Python: difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    val known = Seq(
      ("inptus", Seq("inputs", "outputs"), Some("inputs")),
      ("features", Seq("feature", "labels"), Some("feature")),
      ("x", Seq("y", "z"), None),
      ("scores", Seq("probabilities", "score"), Some("score")),
      ("left", Seq("felt", "loft"), Some("loft")),
      ("age", Seq("aged", "page"), Some("page")),
      ("abcd", Seq("bcde"), Some("bcde")),
      ("abcd", Seq("dcba"), None),
      ("class", Seq("a-b", "clazz", "glass"), Some("glass")),
      ("Inputs", Seq("INPUTS"), Some("INPUTS")),
      ("x", Nil, None)
    )
    known.foreach { case (name, names, meant) =>
      assert(
        Explain.didYouMean(name, names) == meant.fold("")(one => s" Did you mean '$one'?"),
        name
      )
    }
  }

  test("floats are written as Python writes them") {
    val known = Seq(
      1e39 -> "1e+39",
      1e16 -> "1e+16",
      1e15 -> "1000000000000000.0",
      123456789012345680.0 -> "1.2345678901234568e+17",
      0.0001 -> "0.0001",
      0.00001 -> "1e-05",
      -2.5e-7 -> "-2.5e-07",
      0.1 -> "0.1",
      0.1f.toDouble -> "0.10000000149011612",
      java.lang.Double.MIN_VALUE -> "5e-324",
      Double.MinValue -> "-1.7976931348623157e+308",
      2e23 -> "2e+23",
      100000.0 -> "100000.0",
      -0.0 -> "-0.0",
      Double.NaN -> "nan",
      Double.NegativeInfinity -> "-inf"
    )
    known.foreach { case (value, text) => assert(PythonText.of(value) == text) }
  }

  test("bytes are written as Python writes them") {
    def bytes(values: Int*): String = PythonText.of(values.map(_.toByte).toArray)
    assert(bytes('a', 39, 10, 255) == """b"a'\n\xff"""")
    assert(bytes(34, 39, 92, 9, 13, 0) == """b'"\'\\\t\r\x00'""")
    assert(bytes(34) == """b'"'""")
    assert(bytes(127, 126) == """b'\x7f~'""")
  }
}
