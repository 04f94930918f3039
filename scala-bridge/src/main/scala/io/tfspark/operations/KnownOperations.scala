package io.tfspark.operations

import java.nio.charset.StandardCharsets.UTF_8

import scala.io.Source
import scala.util.Using

/** The operations that only compute, and what the others touch. Driver.
  *
  * Reads the two lists that Python reads too. An operation in neither of them is not TensorFlow's
  * own, so that nobody knows what it does.
  */
private[operations] object KnownOperations {

  val Unknown: String = "unknown code: it is not an operation of TensorFlow itself"

  private lazy val allowed: Set[String] = lines("allowed.txt").flatMap(words).toSet

  private lazy val refused: Map[String, String] =
    lines("refused.txt").foldLeft(("", Map.empty[String, String])) {
      case ((section, found), line) =>
        if (line.startsWith("[")) (line.stripPrefix("[").stripSuffix("]"), found)
        else (section, found ++ words(line).map(_ -> section))
    }._2

  /** What an operation touches besides its tensors; nothing when it only computes. */
  def touches(op: String): Option[String] =
    Option.unless(allowed(op))(refused.getOrElse(op, Unknown))

  private def words(line: String): Seq[String] = line.split(' ').toSeq.filter(_.nonEmpty)

  private def lines(name: String): Seq[String] =
    Using.resource(getClass.getResourceAsStream(s"/io/tfspark/operations/$name")) { stream =>
      Source.fromInputStream(stream, UTF_8.name).getLines().filterNot(_.startsWith("#")).toVector
    }
}
