package io.tfspark.error

import java.util.Locale

/** The one way messages are built: the problem, what was expected, what was found, the next step.
  *
  * Line breaks in a part are escaped (`ForeignText`). Only `found`, which may be the message of
  * another program, keeps its line breaks; its further lines are indented.
  */
object Explain {

  /** Compose one message. */
  def apply(problem: String, expected: String = "", found: String = "", hint: String = ""): String =
    Seq(
      Some(ForeignText.oneLine(problem)),
      Option.when(expected.nonEmpty)(s"  expected: ${ForeignText.oneLine(expected)}"),
      Option.when(found.nonEmpty)(s"  found:    ${ForeignText.quotedLines(found)}"),
      Option.when(hint.nonEmpty)(s"Hint: ${ForeignText.oneLine(hint)}")
    ).flatten.mkString("\n")

  /** Compose one message of several mismatches, their count first. */
  def all(problem: String, mismatches: Seq[String], hint: String = ""): String = {
    val count = if (mismatches.size == 1) "1 mismatch" else s"${mismatches.size} mismatches"
    val lines = s"${ForeignText.oneLine(problem)}: $count" +:
      mismatches.map(one => s"  - ${ForeignText.oneLine(one)}")
    (lines ++ Option.when(hint.nonEmpty)(s"Hint: ${ForeignText.oneLine(hint)}")).mkString("\n")
  }

  /** Quote and join names: `'a', 'b'`, or `none`. */
  def listing(names: Iterable[String]): String =
    if (names.isEmpty) "none" else names.map(name => s"'$name'").mkString(", ")

  /** Return `" Did you mean 'x'?"` for the closest known name, or an empty string. */
  def didYouMean(name: String, known: Iterable[String]): String = {
    val folded = known.map(one => one.toLowerCase(Locale.ROOT) -> one).toMap
    val closest = CloseMatch.of(name.toLowerCase(Locale.ROOT), folded.keys)
    closest.fold("")(one => s" Did you mean '${folded(one)}'?")
  }
}
