package io.tfspark.jobs

import java.time.{Instant, ZoneOffset}
import java.time.format.DateTimeFormatter
import java.time.temporal.ChronoUnit
import java.util.UUID

import scala.collection.immutable.ListMap
import scala.jdk.CollectionConverters._

import com.fasterxml.jackson.databind.ObjectMapper
import com.fasterxml.jackson.databind.node.ObjectNode
import io.tfspark.error.ForeignText

/** The report of a job: counts, seconds of each phase, model and versions. Secrets are masked.
  * Driver; immutable.
  *
  * Its fields have the names of Python's report.
  */
final case class Report(
    run: String,
    started: String,
    model: ListMap[String, Any] = ListMap.empty,
    input: String = "",
    output: String = "",
    rowsIn: Option[Long] = None,
    rowsOut: Long = 0,
    nullRows: Long = 0,
    badRows: Long = 0,
    badRowsOutput: String = "",
    rounded: Seq[String] = Nil,
    seconds: ListMap[String, Double] = ListMap.empty,
    versions: ListMap[String, String] = ListMap.empty
) {

  /** Run a phase and add its seconds. */
  def timed[A](phase: String)(body: => A): (A, Report) = {
    val start = System.nanoTime()
    val result = body
    val taken = math.round((System.nanoTime() - start) / 1e6) / 1000.0
    (result, copy(seconds = seconds.updated(phase, taken)))
  }

  /** The report, with secrets masked. */
  def account: Account = Account(
    Report.toJson(
      ListMap(
        "job" -> "batch_score",
        "run" -> run,
        "started" -> started,
        "model" -> model,
        "input" -> input,
        "output" -> output,
        "path" -> "spark",
        "rows_in" -> rowsIn.map(Long.box).orNull,
        "rows_out" -> rowsOut,
        "null_rows" -> nullRows,
        "bad_rows" -> badRows,
        "bad_rows_output" -> badRowsOutput,
        "rounded" -> rounded,
        "seconds" -> seconds,
        "versions" -> versions
      )
    )
  )
}

object Report {

  /** The report of a run that begins now. */
  def begin(): Report = {
    val now = Instant.now().atOffset(ZoneOffset.UTC)
    val run =
      s"${now.format(DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss"))}-${UUID.randomUUID.toString.take(8)}"
    Report(run, now.truncatedTo(ChronoUnit.SECONDS).format(DateTimeFormatter.ISO_OFFSET_DATE_TIME))
  }

  private def toJson(document: ListMap[String, Any]): ObjectNode =
    new ObjectMapper().valueToTree(toJava(document))

  private def toJava(value: Any): Any = value match {
    case fields: Map[_, _] =>
      val copy = new java.util.LinkedHashMap[Any, Any]
      fields.foreach { case (key, field) => copy.put(key, toJava(field)) }
      copy
    case many: Seq[_] => many.map(toJava).asJava
    case Some(present) => toJava(present)
    case text: String => ForeignText.redacted(text)
    case None => null
    case other => other
  }
}
