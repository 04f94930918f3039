package io.tfspark.error

import scala.util.Random

import org.scalatest.funsuite.AnyFunSuite

/** Text from outside is printed without control characters and secrets, as in Python. */
class ForeignTextSuite extends AnyFunSuite {
  private val secret = "hunter2Zq9"

  test("control characters are written out") {
    val known = Seq(
      "\u001b[31mred" -> """\x1b[31mred""",
      "a\nb\tc\rd" -> """a\nb\tc\rd""",
      "\u0000\u007f\u0085\u009b" -> """\x00\x7f\x85\x9b""",
      "a\u202eb\u2066c\u2028d\u2029" -> "a\\u202eb\\u2066c\\u2028d\\u2029",
      "\udcff" -> "\\udcff",
      "Größe 名前 \\n 🙂 $1" -> "Größe 名前 \\n 🙂 $1"
    )
    known.foreach { case (text, shown) => assert(ForeignText.oneLine(text) == shown) }
  }

  test("only line breaks stay in lines, and lines of others are indented") {
    assert(ForeignText.lines("one\ntwo\r\u001b") == """one
                                                    |two\r\x1b""".stripMargin)
    assert(ForeignText.quotedLines("one\n2026 ERROR forged") == "one\n    2026 ERROR forged")
  }

  test("what is printed holds no control character, and twice is once") {
    val random = new Random(14)
    val signs = "\u0000\u001b\n\r\t\u0085\u202e\u2066\ud800=&?;:@/'\"abkeysig "
    (1 to 2000).foreach { _ =>
      val text = Seq.fill(random.nextInt(40))(signs(random.nextInt(signs.length))).mkString
      val once = ForeignText.oneLine(text)
      assert(!once.exists(one => one.isControl || one == '\u202e' || one == '\u2066'))
      assert(ForeignText.oneLine(once) == once)
    }
  }

  test("secrets are masked and the rest stays") {
    val known = Seq(
      s"s3a://AKIAKEY:$secret@bucket/data" -> "s3a://***@bucket/data",
      s"s3a://AKIAKEY:$secret/with/slash@bucket/data" -> "s3a://***@bucket/data",
      s"https://$secret@host:8443/x" -> "https://***@host:8443/x",
      s"jdbc:oracle:thin:scott/$secret@//db:1521/x" -> "jdbc:oracle:thin:***@//db:1521/x",
      s"https://a.blob.core.windows.net/c/f?sv=2024&sig=$secret%3D" -> "/c/f?sv=2024&sig=***",
      s"https://b/k?X-Amz-Signature=$secret" -> "https://b/k?X-Amz-Signature=***",
      s"https://b/k?X-Amz-Security-Token=$secret&x=1" -> "&x=1",
      s"https://b/k?a=1&token=$secret&key=$secret&access_token=$secret" -> "https://b/k?a=1",
      s"DefaultEndpointsProtocol=https;AccountName=a;AccountKey=$secret==;x=y" -> "AccountName=a",
      s"Map(user -> joe, password -> $secret, dbtable -> t)" -> "dbtable -> t",
      s"spark.hadoop.fs.s3a.secret.key=$secret" -> "spark.hadoop.fs.s3a.secret.key=***",
      s"OPTIONS (password '$secret', x 'y')" -> "OPTIONS (password ***, x 'y')",
      s"Authorization: Bearer $secret" -> "Authorization: Bearer ***",
      s"a\npassword=$secret\nb" -> """a\npassword=***\nb"""
    )
    known.foreach { case (text, stays) =>
      val shown = ForeignText.oneLine(text)
      assert(!shown.contains(secret) && shown.contains(stays))
      assert(ForeignText.oneLine(shown) == shown)
    }
  }

  test("what is no secret stays") {
    val known = Seq(
      "abfss://container@account.dfs.core.windows.net/model",
      "hdfs://nn1:8020,nn2:8020/user/joe@example.com/x",
      "s3a://bucket/day=1/key=5/token=a/part@2.parquet",
      "file:///tmp/a@b",
      "map('signature', '…') after the model",
      "max_tokens=512 tokenizer=bert keyboard=de"
    )
    known.foreach(text => assert(ForeignText.oneLine(text) == text))
  }

  test("hostile text takes linear time") {
    Seq("token", "://", "://a:", "password=", "a.", "'", "\"", "jdbc:oracle:x:", "@").foreach {
      piece => assert(ForeignText.oneLine(piece * (500000 / piece.length)).nonEmpty)
    }
  }

  test("no part of a message starts a line of its own, and no error holds a secret") {
    val forged = "\u001b[31m\n2026-01-01 ERROR forged"
    val message = Explain(s"a$forged", s"b$forged", s"c$forged", s"d$forged")
    val lines = message.linesIterator.toSeq
    val starts = Seq("a\\x1b", "  expected: b", "  found:    c", "    2026", "Hint: d")
    assert(lines.size == starts.size)
    assert(lines.zip(starts).forall { case (line, start) => line.startsWith(start) }, message)
    assert(!Explain.all("x", Seq(s"column '$forged'")).linesIterator.exists(_.startsWith("2026")))
    val error = new UsageException(s"no flag s3a://u:$secret@b\u001b")
    assert(error.getMessage == """no flag s3a://***@b\x1b""")
  }
}
