package io.tfspark.jobs

import scala.jdk.CollectionConverters._

import com.fasterxml.jackson.core.util.{DefaultIndenter, DefaultPrettyPrinter}
import com.fasterxml.jackson.databind.ObjectMapper
import com.fasterxml.jackson.databind.node.ObjectNode

/** The report of a finished run: its own, or that of the earlier run that did the job. Driver. */
final private[jobs] case class Account(document: ObjectNode) {
  def run: String = document.path("run").asText
  def rowsOut: Long = document.path("rows_out").asLong
  def nullRows: Long = document.path("null_rows").asLong
  def badRows: Long = document.path("bad_rows").asLong

  /** The wall time of a phase; 0 when there was none. */
  def seconds(phase: String): Double = document.path("seconds").path(phase).asDouble

  /** The report of an earlier run; fields that it lacks keep their values. */
  def ofEarlier(earlier: ObjectNode): Account =
    Account(document.deepCopy().setAll[ObjectNode](earlier))

  /** The text of the report; the total is the sum of the phases. */
  def toJson: String = {
    val copy = document.deepCopy()
    val seconds = copy.withObject("/seconds")
    val total = seconds.elements.asScala.map(_.asDouble).sum
    seconds.put("total", math.round(total * 1000) / 1000.0): Unit
    // Jackson escapes all control characters except this one.
    Account.writer.writeValueAsString(copy).replace("\u007f", "\\u007f") + "\n"
  }
}

private object Account {

  private val writer = {
    val indenter = new DefaultIndenter("  ", "\n")
    new ObjectMapper().writer(new DefaultPrettyPrinter().withObjectIndenter(indenter))
  }
}
