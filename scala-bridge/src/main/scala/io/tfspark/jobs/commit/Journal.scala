package io.tfspark.jobs.commit

import java.util.UUID

import scala.jdk.CollectionConverters._

import com.fasterxml.jackson.databind.JsonNode
import com.fasterxml.jackson.databind.node.ObjectNode
import io.tfspark.error._

/** Identifies a job; two runs with equal keys are the same job. Driver.
  *
  * @param digest digest of the settings, the model and the input
  * @param runId the key that the user chose; empty when there is none
  */
final private[jobs] case class JobKey(digest: String, runId: String = "") {

  /** Whether no other run has this key, so that nobody looks for the record of the job. */
  def isOfOneRun: Boolean = runId.isEmpty && digest.startsWith(JobKey.oneRun)

  /** The name of the job, from which the name of its record is derived. */
  def name: String = if (runId.nonEmpty) s"run id $runId" else s"digest $digest"
}

private[jobs] object JobKey {

  /** Prefix of a digest that no other run can have. */
  private val oneRun = "one-run-"

  /** A key that no other run has, for an input whose state is not known. */
  def ofOneRun: JobKey = JobKey(oneRun + UUID.randomUUID.toString.replace("-", ""))
}

/** One JSON file with the decision of a job to publish its files. Driver.
  *
  * Before the journal exists, no file of the job is published. Once it exists, this run or a later
  * one, in Python or Scala, publishes exactly the files that it names. Then the journal is renamed
  * to the record that the job is done.
  *
  * @param add files to publish, relative to the folder of new files
  * @param retire names in the output to delete; used where folders cannot be renamed atomically
  * @param folder identity of the folder of new files; empty where folders have none
  * @param report the report of the run; a later start of the same job returns it
  * @param table the table of the files; none for a plain folder
  */
final private[jobs] case class Journal(
    mode: String,
    run: String,
    job: JobKey,
    owner: Owner,
    add: Seq[String],
    retire: Seq[String],
    folder: String,
    report: ObjectNode,
    table: Option[TableRecord] = None
) {

  /** The file's text. */
  def toJson: String = {
    val node = Json.node().put("version", Journal.version).put("mode", mode).put("run", run)
    node.set[ObjectNode](
      "job",
      Json.node().put("digest", job.digest).put("run_id", job.runId)
    ).set[ObjectNode]("owner", owner.toJson)
      .set[ObjectNode]("add", Json.array(add))
      .set[ObjectNode]("retire", Json.array(retire))
      .put("folder", folder)
      .set[ObjectNode]("report", report): Unit
    table.foreach(record => node.set[ObjectNode]("table", record.toJson))
    Json.print(node)
  }
}

private[jobs] object Journal {
  private val version = 1
  private val modes = Set("error", "overwrite", "append")
  private val keys =
    Set("version", "mode", "run", "job", "owner", "add", "retire", "folder", "report", "table")

  /** The journal in a file's text; refuses a journal with keys that this version does not know. */
  def of(text: String): Journal = {
    val json = ForeignRecord.record(Json.parse(text))
    val table = Option(json.get("table")).filter(isSaid)
    val unknown = unknownIn(json, keys) ++ table.toSeq.flatMap { record =>
      if (record.isObject) unknownIn(record, TableRecord.keys) else Seq("table")
    }
    if (json.path("version").asInt != version || unknown.nonEmpty)
      throw new OutputBusyException(
        Explain(
          "An unfinished job of another kind or version is beside the output.",
          expected = s"a journal of version $version",
          found = (s"version ${json.path("version").asText}" +: unknown).mkString(", "),
          hint = "run its command again with the program that started it."
        )
      )
    Journal(
      mode(ForeignRecord.text(json, "mode")),
      ForeignRecord.run(json.path("run")),
      JobKey(
        ForeignRecord.text(json.path("job"), "digest"),
        ForeignRecord.text(json.path("job"), "run_id")
      ),
      Owner.of(json.path("owner")),
      ForeignRecord.namesInside(json, "add"),
      ForeignRecord.namesInside(json, "retire"),
      ForeignRecord.text(json, "folder"),
      report(json.path("report")),
      table.map(TableRecord.of)
    )
  }

  private def mode(text: String): String =
    if (modes(text)) text else throw new OddRecordException(s"'$text' is not a mode")

  /** The name of the report's file contains the run. */
  private def report(json: JsonNode): ObjectNode = json match {
    case report: ObjectNode =>
      if (report.has("run")) ForeignRecord.run(report.path("run")): Unit
      report
    case other => throw new OddRecordException(s"$other is not a report")
  }

  private def unknownIn(json: JsonNode, known: Set[String]): Seq[String] =
    json.fieldNames.asScala.filter(name => !known(name) && isSaid(json.path(name))).toSeq

  private def isSaid(value: JsonNode): Boolean =
    !value.isNull && (if (value.isContainerNode) !value.isEmpty else value.asText.nonEmpty)
}
