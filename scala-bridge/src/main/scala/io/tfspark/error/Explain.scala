package io.tfspark.error

import java.util.{HexFormat, Locale}

import org.apache.commons.text.similarity.LevenshteinDistance

/** Builds every message: the problem, the expected value, the found value, the next step.
  *
  * Line breaks in a part are escaped (`ForeignText`). Only `found`, which may be the message of
  * another program, keeps its line breaks; its further lines are indented.
  */
object Explain {

  /** Two names are close when at most this fraction of their letters differs. */
  private val mostDifferent = 0.4
  private val byDifference = Ordering.Double.TotalOrdering

  /** Names and mismatches that a message lists: a model can have a million signatures. */
  private val listed = 50

  /** Compose one message. */
  def apply(problem: String, expected: String = "", found: String = "", hint: String = ""): String =
    Seq(
      Some(ForeignText.oneLine(problem)),
      Option.when(expected.nonEmpty)(s"  expected: ${ForeignText.oneLine(expected)}"),
      Option.when(found.nonEmpty)(s"  found:    ${ForeignText.quotedLines(found)}"),
      Option.when(hint.nonEmpty)(s"Hint: ${ForeignText.oneLine(hint)}")
    ).flatten.mkString("\n")

  /** Compose one message that counts mismatches and lists at most 50 of them. */
  def all(problem: String, mismatches: Seq[String], hint: String = ""): String = {
    val count = if (mismatches.size == 1) "1 mismatch" else s"${mismatches.size} mismatches"
    val lines = s"${ForeignText.oneLine(problem)}: $count" +:
      shortened(mismatches).map(mismatch => s"  - ${ForeignText.oneLine(mismatch)}")
    (lines ++ Option.when(hint.nonEmpty)(s"Hint: ${ForeignText.oneLine(hint)}")).mkString("\n")
  }

  /** Quote and join names: `'a', 'b'`, or `none`; at most 50, then a count. */
  def listing(names: Iterable[String]): String =
    if (names.isEmpty) "none" else shortened(names.map(name => s"'$name'").toSeq).mkString(", ")

  /** The first texts, at most 50 by default, then the count of the others. */
  def shortened(texts: Seq[String], most: Int = listed): Seq[String] = {
    val more = texts.size - most
    texts.take(most) ++ Option.when(more > 0)(s"and $more more")
  }

  /** A value in a message: text in quotes, bytes as a SQL literal. */
  def shown(value: Any): String = value match {
    case text: String => s"'${ForeignText.oneLine(text)}'"
    case bytes: Array[Byte] => s"X'${HexFormat.of().withUpperCase().formatHex(bytes)}'"
    case other => String.valueOf(other)
  }

  /** Compose one message about unknown names. */
  def unknown(problem: String, names: Seq[String], known: Seq[String]): String =
    all(
      problem,
      names.map(name => s"there is no column '$name'.${didYouMean(name, known)}"),
      s"available columns: ${shortened(known).mkString(", ")}."
    )

  /** Return `" Did you mean 'x'?"` for the closest known name, or an empty string. */
  def didYouMean(name: String, known: Iterable[String]): String =
    known.map(one => difference(name, one) -> one).minByOption(_._1)(byDifference) match {
      case Some((part, closest)) if part <= mostDifferent => s" Did you mean '$closest'?"
      case _ => ""
    }

  /** The fraction of the letters that differ between two names. */
  private def difference(name: String, other: String): Double = {
    val (one, two) = (name.toLowerCase(Locale.ROOT), other.toLowerCase(Locale.ROOT))
    val changes = LevenshteinDistance.getDefaultInstance.apply(one, two)
    changes.toDouble / math.max(one.length, two.length)
  }
}
