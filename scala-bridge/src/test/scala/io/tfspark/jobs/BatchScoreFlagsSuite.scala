package io.tfspark.jobs

import java.nio.file.{Files, Paths}

import scala.jdk.CollectionConverters._

import io.tfspark.error.UsageException
import org.scalatest.funsuite.AnyFunSuite

/** The command line of the batch job, and the table of flags that it shares with Python. */
class BatchScoreFlagsSuite extends AnyFunSuite {

  /** Flag, meaning and value in the JVM, for each row of the table that has such a value. */
  private lazy val table: Seq[(String, String, String)] = {
    val lines = Files.readAllLines(Paths.get(sys.props("tfspark.test.flags"))).asScala.toSeq
    val first = lines.takeWhile(!_.startsWith("## The commands"))
    val rows = first.filter(_.startsWith("| `--")).map { line =>
      line.split("""(?<!\\)\|""").toSeq.drop(1).map(_.trim.replace("\\|", "|"))
    }
    rows.filterNot(_.last.startsWith("no: ")).map { cells =>
      val value = if (cells.last == "switch") "" else cells.last.split('`')(1)
      (cells.head.replaceAll("[`-]*$|^`--", ""), cells(1), value)
    }
  }

  test("the flags are those of the table, in the same words") {
    assert(table.size > 25)
    val own = BatchScoreFlags.all.map(flag => (flag.name, flag.meaning, flag.value))
    assert(own.sorted == table.sorted)
  }

  test("the help says what the table says") {
    val said = BatchScoreFlags.help.split("\\s+").mkString(" ")
    table.foreach { case (flag, meaning, value) =>
      val entry = s"--$flag ${if (value.isEmpty) "" else s"$value "}$meaning"
      assert(said.contains(entry), said)
    }
  }

  test("the help lists the exit codes of the page") {
    def words(text: String) = text.split("\\s+").mkString(" ")
    val page = words(Files.readString(Paths.get(sys.props("tfspark.test.flags"))))
    val codes = words(BatchScoreFlags.help).split("Exit codes: ").last
    assert(page.contains(s"Exit codes: $codes"), codes)
  }

  test("a comma inside backticks is part of a name") {
    assert(Flag.names("a, b") == Seq("a", "b"))
    assert(Flag.names("`a,b`,c") == Seq("`a,b`", "c"))
  }

  test("an empty value is refused in the words of Python, with the advice that fits the flag") {
    val texts = BatchScoreFlags.all.filterNot(flag => flag.isSwitch || flag.value.contains('|'))
    val needed = Set("model", "input", "input-table", "output", "output-table")
    texts.foreach { flag =>
      val advice = if (needed(flag.name)) "give a value" else "leave the flag out"
      Seq(Seq(s"--${flag.name}", ""), Seq(s"--${flag.name}=")).foreach { words =>
        val message = intercept[UsageException](BatchScoreFlags.parse(words)).getMessage
        val said = if (flag.check("").isEmpty) s"the value is empty; $advice" else "expected "
        assert(message.startsWith(s"argument --${flag.name}: $said"), message)
      }
    }
    assert(texts.count(_.check("").isEmpty) >= 8)
  }

  test("command lines that are wrong end with code 2") {
    val good = Seq("--model", "m", "--input", "i", "--output", "o")
    val ofTable = Seq("--model", "m", "--input-table", "t", "--output", "o")
    Seq(
      Seq("--input", "i", "--output", "o") -> "Missing option --model",
      Seq(
        "--model",
        "m",
        "--output",
        "o"
      ) -> "one of the arguments --input --input-table is required",
      (good ++ Seq("--input-table", "t")) -> "not allowed with argument --input",
      (good ++ Seq(
        "--version",
        "0"
      )) -> "argument --version: expected a whole number of at least 1, found '0'",
      (good ++ Seq("--mode", "overwrit")) ->
        "argument --mode: expected error or overwrite or append, found 'overwrit'. Did you mean 'overwrite'?",
      (good ++ Seq("--feed", "a=b", "--constant", "a=1")) ->
        "The input 'a' has both a column and a constant.",
      (good ++ Seq("--feed", "a=b", "--feed", "a=c")) -> "'a' is given twice",
      (good ++ Seq("--input", "j")) -> "argument --input: it is given twice",
      (good ++ Seq("--output-shape", "y=x")) -> "expected OUTPUT=SIZE,…, found 'y=x'",
      (good ++ Seq("--fill-null", "y")) -> "expected NAME=VALUE or NAME=",
      (good ++ Seq("--fill-null", "y=0", "--on-null", "error")) ->
        "argument --fill-null: not allowed with argument --on-null",
      (good ++ Seq("--feed", "a=b,,c")) -> "expected NAME[,NAME…]",
      (good ++ Seq("--keep")) -> "Missing value after --keep",
      (good ++ Seq(
        "--fill-nul",
        "a=b"
      )) -> "there is no flag --fill-nul. Did you mean '--fill-null'?",
      (good ++ Seq("nope")) -> "1 word without a flag",
      (good ++ Seq("--dry-run=yes")) -> "argument --dry-run: it takes no value",
      (good ++ Seq("--dry-run", "--dry-run")) -> "argument --dry-run: it is given twice",
      (good ++ Seq("--keep", "--narrow")) -> "argument --keep: expected one argument",
      (ofTable ++ Seq("--option", "a=1")) -> "--option has no effect with --input-table.",
      (ofTable ++ Seq("--allow-missing")) -> "--allow-missing has no effect with --input-table.",
      (ofTable ++ Seq("--input-format", "parquet")) -> "--input-format has no effect with",
      (good ++ Seq("--allow-missing", "--input-format", "csv")) ->
        "--allow-missing has no effect with --input-format csv.",
      (good ++ Seq("--max-bad-rows", "1")) -> "--max-bad-rows has no effect without",
      (good ++ Seq("--reprt", "r")) -> "there is no flag --reprt. Did you mean '--report'?",
      (good ++ Seq("--report:r")) -> "there is no flag --report:r."
    ).foreach { case (words, message) =>
      val error = intercept[UsageException](BatchScoreFlags.parse(words))
      assert(error.getMessage.contains(message) && error.exitCode == 2)
    }
    BatchScoreFlags.parse(good ++ Seq("--allow-missing", "--input-format", "orc")): Unit
    assert(BatchScoreFlags.help.contains("--feed INPUT=COLUMN[,COLUMN…]"))
  }
}
