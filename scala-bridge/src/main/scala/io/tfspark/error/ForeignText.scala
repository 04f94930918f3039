package io.tfspark.error

import java.util.regex.Matcher

import scala.util.matching.Regex

/** Makes text from outside safe to print. Driver and executor.
  *
  * Escapes control characters and masks secrets of known forms. Names of columns, tables, files and
  * models, values of rows and messages of Spark and TensorFlow come from outside. Printed
  * unchanged, they can move a terminal's cursor, change the direction of a line, imitate a log
  * record, or show a password from a URI. The rules are those of Python's `tfspark.foreign_text`.
  * Applying a rule twice changes nothing more.
  */
object ForeignText {
  private val mask = "***"

  // C0, DEL and C1; line and paragraph separators; marks, embeddings, overrides and isolates that
  // change the direction of text; the invisible BOM; halves of surrogate pairs.
  private val control =
    ("[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028\\u2029\\u202a-\\u202e" +
      "\\u2066-\\u2069\\ufeff\\p{Cs}]").r
  private val lineBreak = """\n(?! {4})""".r
  private val named = Map('\n' -> "\\n", '\r' -> "\\r", '\t' -> "\\t")

  // `name=value`, `name -> value` as Scala prints maps, `"name": value`, and SQL's `name 'value'`. A
  // match can only begin at the start of a word, and lengths are limited, so that hostile text takes
  // linear time.
  private val name =
    """(?<![\w.\-])([\w.\-]{1,256})(?:\s?=\s?|\s?->\s?|["']\s?:\s?|\s(?='))""".r
  private val value = """\*\*\*|"[^"]*"?|'[^']*'?|[^\s&;"']+""".r
  private val secret =
    ("(?i)password$|passwd$|passphrase$|pwd$|secret|credentials?$|[-_.]token$|authtoken$" +
      "|(access|account|api|private|shared|storage|encryption|master)[-_.]?key" +
      "|sharedaccesssignature$|^x-amz-signature$").r
  // These names mean secrets only in the query of a URI. Elsewhere `signature` is an option of
  // tfspark, `token` an input of language models, and `/key=5/` a folder of a partitioned table.
  private val secretInQuery = "(?i)key|sig|signature|sas|token|code|auth".r
  private val authorization =
    """(?i)(authorization["']?\s?[:=]\s?["']?(?:(?:bearer|basic|negotiate)\s)?)[^\s"']+""".r

  // The authority of a URI up to its last `@`. A password that was not escaped may contain slashes;
  // the text after the colon is then not a port. Azure's `container@account` is not a secret.
  private val user =
    ("""(?i)(abfss?|wasbs?)?://([^\s/?#'"<>]{0,512}""" +
      """|[^\s/?#'"<>@:]{1,256}:(?!\d{1,5}(?:[/?#\s'",;)]|$))[^\s'"<>]{0,512})@""").r
  private val oracleUser = """(?i)(jdbc:oracle:\w{1,32}:)[^\s@]{1,512}@""".r

  /** A name, a path or a message from outside, made safe as part of one line. */
  def oneLine(text: String): String = escaped(redacted(text), keepsLines = false)

  /** A message with its line breaks; every other control character is escaped. */
  def lines(text: String): String = escaped(redacted(text), keepsLines = true)

  /** Text from outside, indented after its first line so that it cannot imitate ours. */
  def quotedLines(text: String): String = lineBreak.replaceAllIn(lines(text), "\n    ")

  /** Mask the secrets of URIs, of connection strings and of settings; hosts and paths stay. */
  def redacted(text: String): String = {
    val plain = authorization.replaceAllIn(
      withoutValues(text),
      found => Matcher.quoteReplacement(found.group(1) + mask)
    )
    val anonymous =
      user.replaceAllIn(plain, found => Matcher.quoteReplacement(withoutUser(found)))
    oracleUser.replaceAllIn(
      anonymous,
      found => Matcher.quoteReplacement(s"${found.group(1)}$mask@")
    )
  }

  private def escaped(text: String, keepsLines: Boolean): String =
    control.replaceAllIn(
      text,
      found =>
        Matcher.quoteReplacement {
          val char = found.matched.head
          if (char == '\n' && keepsLines) "\n" else named.getOrElse(char, number(char))
        }
    )

  private def number(char: Char): String =
    if (char < 256) f"\\x${char.toInt}%02x" else f"\\u${char.toInt}%04x"

  private def withoutValues(text: String): String = {
    val values = value.pattern.matcher(text)
    val (parts, done) = name.findAllMatchIn(text).foldLeft((Vector.empty[String], 0)) {
      case ((parts, done), found) =>
        values.region(found.end, text.length)
        if (found.start >= done && isSecret(text, found) && values.lookingAt())
          (parts :+ text.substring(done, found.end) :+ mask, values.end)
        else (parts, done)
    }
    (parts :+ text.substring(done)).mkString
  }

  private def isSecret(text: String, found: Regex.Match): Boolean = {
    val inQuery = found.start > 0 && "?&;".indexOf(text.charAt(found.start - 1).toInt) >= 0
    secret.findFirstIn(found.group(1)).isDefined || inQuery && secretInQuery.matches(found.group(1))
  }

  private def withoutUser(found: Regex.Match): String = {
    val scheme = Option(found.group(1))
    val isContainer = scheme.isDefined && !found.group(2).contains(':')
    if (isContainer) found.matched else s"${scheme.getOrElse("")}://$mask@"
  }
}
