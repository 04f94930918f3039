package io.tfspark.jobs

import scala.annotation.tailrec

import io.tfspark.error._

/** One flag of a command line.
  *
  * @param value what its value is called in the help; empty for a switch
  * @param check says what is wrong with a value, if anything is
  */
final case class Flag(
    name: String,
    value: String,
    help: String,
    isRepeatable: Boolean = false,
    check: String => Option[String] = _ => None
)

/** A command line, parsed: the values of each flag in order. Driver.
  *
  * The rules are those of Python's argparse as the jobs use it: `--flag value` or `--flag=value`, a
  * flag is given once, repeatable ones collect `NAME=VALUE`, each name once.
  */
final class Arguments private (values: Map[String, Seq[String]]) {

  def has(flag: String): Boolean = values.contains(flag)

  def get(flag: String): Option[String] = values.get(flag).flatMap(_.lastOption)

  def getOrElse(flag: String, default: String): String = get(flag).getOrElse(default)

  /** The pairs of a repeatable flag, in order. */
  def pairs(flag: String): Seq[(String, String)] = values.getOrElse(flag, Nil).map(Arguments.pair)
}

object Arguments {

  /** Parse words, or raise what a user has to mend. */
  def parse(flags: Seq[Flag], words: Seq[String]): Arguments = {
    val known = flags.map(flag => s"--${flag.name}" -> flag).toMap

    @tailrec
    def read(rest: List[String], found: Map[String, Seq[String]]): Map[String, Seq[String]] =
      rest match {
        case Nil => found
        case word :: tail =>
          val (name, inline) = word.split("=", 2) match {
            case Array(one, value) if word.startsWith("--") => (one, Some(value))
            case _ => (word, None)
          }
          val flag =
            known.getOrElse(name, throw unknown(name, known.keys))
          (flag.value, inline, tail) match {
            case ("", None, _) => read(tail, add(found, flag, "true"))
            case ("", Some(_), _) => throw refusal(flag, "it takes no value")
            case (_, Some(value), _) => read(tail, add(found, flag, value))
            case (_, None, value :: more) if !known.contains(value) =>
              read(more, add(found, flag, value))
            case _ => throw refusal(flag, "expected one argument")
          }
      }
    new Arguments(read(words.toList, Map.empty))
  }

  /** One of some words. */
  def choice(words: String*)(value: String): Option[String] =
    Option.unless(words.contains(value))(
      s"expected ${words.mkString(" or ")}, found '$value'.${Explain.didYouMean(value, words)}"
    )

  /** A whole number of at least 1. */
  def positive(value: String): Option[String] =
    Option.unless(value.matches("[0-9]{1,9}") && value.toInt >= 1)(
      s"expected a whole number of at least 1, found '$value'"
    )

  /** `NAME=VALUE`. */
  def isPair(value: String): Option[String] = {
    val at = value.indexOf('=')
    Option.unless(at > 0 && at < value.length - 1)(s"expected NAME=VALUE, found '$value'")
  }

  /** `NAME=VALUE`, where the value may be empty. */
  def isPairOrEmpty(value: String): Option[String] =
    Option.unless(value.indexOf('=') > 0)(s"expected NAME=VALUE or NAME=, found '$value'")

  /** `A,B,C`. */
  def columns(value: String): Seq[String] = value.split(",", -1).toSeq.map(_.trim)

  private def pair(value: String): (String, String) = {
    val at = value.indexOf('=')
    (value.take(at), value.drop(at + 1))
  }

  private def add(
      found: Map[String, Seq[String]],
      flag: Flag,
      value: String
  ): Map[String, Seq[String]] = {
    flag.check(value).foreach(problem => throw refusal(flag, problem))
    val before = found.getOrElse(flag.name, Nil)
    if (flag.isRepeatable && before.exists(pair(_)._1 == pair(value)._1))
      throw refusal(flag, s"'${pair(value)._1}' is given twice")
    if (!flag.isRepeatable && before.nonEmpty) throw refusal(flag, "it is given twice")
    found.updated(flag.name, before :+ value)
  }

  private def unknown(word: String, known: Iterable[String]): UsageException =
    new UsageException(
      if (word.startsWith("--")) s"there is no flag $word.${Explain.didYouMean(word, known)}"
      else s"unrecognized arguments: $word"
    )

  private def refusal(flag: Flag, problem: String): UsageException =
    new UsageException(s"argument --${flag.name}: $problem")
}
