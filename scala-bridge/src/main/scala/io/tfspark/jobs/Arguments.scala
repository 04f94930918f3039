package io.tfspark.jobs

import io.tfspark.error._
import scopt.{OEffect, OParser, OParserBuilder, RenderingMode}

/** A command line, parsed: the values of each flag in order. Driver. */
final case class Arguments private (values: Map[String, Seq[String]]) {

  def has(flag: String): Boolean = values.contains(flag)

  def get(flag: String): Option[String] = values.get(flag).flatMap(_.lastOption)

  def getOrElse(flag: String, default: String): String = get(flag).getOrElse(default)

  /** The names of a flag that takes a list; empty when it is not given. */
  def names(flag: String): Seq[String] = get(flag).fold(Seq.empty[String])(Flag.names)

  /** The pairs of a repeatable flag, in order. */
  def pairs(flag: String): Seq[(String, String)] = values.getOrElse(flag, Nil).map(Flag.pair)

  private def added(flag: String, value: String): Arguments =
    Arguments(values.updated(flag, values.getOrElse(flag, Nil) :+ value))
}

/** Parses command lines with scopt, by the rules of the Python jobs.
  *
  * A flag is written with its whole name. It is given once; a flag that takes `NAME=VALUE` is given
  * once for each name. scopt alone would accept `--flag:value` and a value after a switch. It would
  * also print words without a flag, which may be part of a secret.
  */
object Arguments {
  private val builder: OParserBuilder[Arguments] = OParser.builder
  private val stray = "words without a flag"

  /** Parse words; raise a usage error with the necessary changes if they are wrong. */
  def parse(flags: Seq[Flag], words: Seq[String]): Arguments = {
    words.filter(isFlag).foreach(refuseUnknown(flags, _))
    val others = builder.arg[String](stray).unbounded().optional().action((word, found) =>
      found.added(stray, word)
    )
    val together = builder.checkConfig(found => problems(flags, found).headOption.toLeft(()))
    val options: Seq[OParser[_, Arguments]] = together +: flags.map(option)
    val parser = OParser.sequence(others, options: _*)
    OParser.runParser(parser, words, Arguments(Map.empty[String, Seq[String]])) match {
      case (Some(found), _) => found
      case (None, effects) =>
        throw new UsageException(effects.collectFirst { case OEffect.ReportError(problem) =>
          problem
        }.mkString)
    }
  }

  /** The text that `--help` prints. */
  def help(program: String, about: String, flags: Seq[Flag], end: String): String = {
    val (first, last) = (builder.note(s"$about\n"), builder.note(s"\n$end"))
    val options: Seq[OParser[_, Arguments]] = first +: flags.map(option) :+ last
    val parser = OParser.sequence(builder.programName(program), options: _*)
    OParser.usage(parser, RenderingMode.OneColumn)
  }

  private def option(flag: Flag): OParser[_, Arguments] = {
    val occurs = if (flag.isRequired) 1 else 0
    if (flag.isSwitch)
      builder.opt[Unit](flag.name).unbounded().text(flag.meaning).action((_, found) =>
        found.added(flag.name, "")
      )
    else
      builder.opt[String](flag.name).unbounded().minOccurs(occurs).valueName(flag.value)
        .text(flag.meaning)
        .validate(value => problem(flag, value).toLeft(()))
        .action((value, found) => found.added(flag.name, value))
  }

  private def problem(flag: Flag, value: String): Option[String] = {
    val problem = if (isFlag(value)) Some("expected one argument") else flag.problem(value)
    problem.map(text => s"argument --${flag.name}: $text")
  }

  /** The problems of all flags together. */
  private def problems(flags: Seq[Flag], found: Arguments): Seq[String] =
    flags.flatMap(givenTwice(_, found)) ++ found.values.get(stray).map { words =>
      val count = if (words.size == 1) "1 word" else s"${words.size} words"
      s"$count without a flag; a value with spaces needs quotes"
    }

  private def givenTwice(flag: Flag, found: Arguments): Option[String] = {
    val values = found.values.getOrElse(flag.name, Nil)
    val names = if (flag.isRepeatable) values.map(Flag.pair(_)._1) else values.map(_ => "")
    names.diff(names.distinct).headOption.map { name =>
      s"argument --${flag.name}: ${if (name.isEmpty) "it" else s"'$name'"} is given twice"
    }
  }

  /** Whether a word is a flag; a value that begins with `--` is recognised by its blanks. */
  private def isFlag(word: String): Boolean = word.startsWith("--") && !nameOf(word).contains(' ')

  private def nameOf(word: String): String = word.takeWhile(_ != '=')

  private def refuseUnknown(flags: Seq[Flag], word: String): Unit = {
    val name = nameOf(word)
    val known = flags.map(flag => s"--${flag.name}" -> flag).toMap
    known.get(name) match {
      case Some(flag) if flag.isSwitch && word != name =>
        throw new UsageException(s"argument $name: it takes no value")
      case None =>
        throw new UsageException(
          s"there is no flag $name.${Explain.didYouMean(name, known.keys)}"
        )
      case _ => ()
    }
  }
}
