package io.tfspark.operations

import java.nio.charset.StandardCharsets.UTF_8

import scala.io.Source
import scala.util.Using

/** Tells which operations only compute, which access files or other resources, and which are
  * random. Driver.
  *
  * Reads the same lists as Python. An operation that is neither allowed nor refused is a custom
  * one, or newer than the lists; it is treated as unknown code.
  */
private[operations] object KnownOperations {

  val Unknown: String = "unknown code: the operation is in neither of tfspark's lists"

  private lazy val allowed: Set[String] = lines("allowed.txt").flatMap(words).toSet

  private lazy val random: Set[String] = lines("random.txt").flatMap(words).toSet

  private lazy val refused: Map[String, String] =
    lines("refused.txt").foldLeft(("", Map.empty[String, String])) {
      case ((section, found), line) =>
        if (line.startsWith("[")) (line.stripPrefix("[").stripSuffix("]"), found)
        else (section, found ++ words(line).map(_ -> section))
    }._2

  /** The resources that an operation accesses besides its tensors; none when it only computes. */
  def touches(op: String): Option[String] =
    Option.unless(allowed(op))(refused.getOrElse(op, Unknown))

  /** Whether an operation draws random numbers. */
  def isRandom(op: String): Boolean = random(op)

  private def words(line: String): Seq[String] = line.split(' ').toSeq.filter(_.nonEmpty)

  private def lines(name: String): Seq[String] =
    Using.resource(getClass.getResourceAsStream(s"/io/tfspark/operations/$name")) { stream =>
      Source.fromInputStream(stream, UTF_8.name).getLines().filterNot(_.startsWith("#")).toVector
    }
}
