package io.tfspark.jobs

import io.tfspark.error.Explain

/** One flag of a command line, as `jobs/README.md` lists it. Driver.
  *
  * @param value the placeholder of the value in the help: empty for a switch, `a|b|c` for one of
  *   these words, `NAME=VALUE` for a flag that may be given once for each name
  * @param check returns the problem of a value, if there is one
  * @param isRequired whether every command line needs the flag
  * @param isAlternative whether every command line needs either this flag or one that replaces it
  */
final case class Flag(
    name: String,
    value: String,
    meaning: String,
    check: String => Option[String] = _ => None,
    isRequired: Boolean = false,
    isAlternative: Boolean = false
) {
  def isSwitch: Boolean = value.isEmpty
  def isRepeatable: Boolean = value.contains('=')

  /** The allowed values; empty when any text is allowed. */
  private val words: Seq[String] = if (value.contains('|')) value.split('|').toSeq else Nil

  /** The problem of a value, if there is one. */
  def problem(text: String): Option[String] =
    if (words.isEmpty) check(text).orElse(emptiness(text))
    else
      Option.unless(words.contains(text))(
        s"expected ${words.mkString(" or ")}, found '$text'.${Explain.didYouMean(text, words)}"
      )

  /** The problem of an empty value, such as `"$KEY"` with a variable that is not set. */
  private def emptiness(text: String): Option[String] = {
    val advice = if (isRequired || isAlternative) "give a value" else "leave the flag out"
    Option.when(text.isEmpty)(s"the value is empty; $advice")
  }
}

object Flag {

  /** A whole number of at least 1. */
  def positive(value: String): Option[String] =
    Option.unless(value.matches("[0-9]{1,9}") && value.toInt >= 1)(
      s"expected a whole number of at least 1, found '$value'"
    )

  /** `NAME=VALUE`. */
  def isPair(value: String): Option[String] = {
    val (name, text) = pair(value)
    Option.unless(name.nonEmpty && text.nonEmpty)(s"expected NAME=VALUE, found '$value'")
  }

  /** `NAME=VALUE`, where the value may be empty. */
  def isPairOrEmpty(value: String): Option[String] =
    Option.unless(value.indexOf('=') > 0)(s"expected NAME=VALUE or NAME=, found '$value'")

  /** `NAME=VALUE` for Spark, where the value may be empty and is never printed. */
  def isOption(value: String): Option[String] =
    isPairOrEmpty(value).map(_ => "expected NAME=VALUE or NAME=; the name or = is missing")

  /** `A,B,C`. */
  def isList(value: String): Option[String] =
    Option.unless(names(value).forall(_.nonEmpty))(s"expected NAME[,NAME…], found '$value'")

  /** The names of `A,B,C`. A comma inside backticks is part of a name. */
  def names(value: String): Seq[String] = Comma.split(value, -1).toSeq.map(_.trim)

  // A comma that an even number of backticks follows, so it is not inside of them.
  private val Comma = java.util.regex.Pattern.compile(",(?=[^`]*(?:`[^`]*`[^`]*)*$)")

  /** The two parts of `NAME=VALUE`. */
  def pair(value: String): (String, String) = {
    val (name, rest) = value.span(_ != '=')
    (name, rest.drop(1))
  }
}
