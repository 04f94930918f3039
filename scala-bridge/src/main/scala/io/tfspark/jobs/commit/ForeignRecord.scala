package io.tfspark.jobs.commit

import scala.jdk.CollectionConverters._

import com.fasterxml.jackson.core.JsonProcessingException
import com.fasterxml.jackson.databind.JsonNode
import io.tfspark.error._

/** Reads the files in the hidden folder, which other programs can write. Driver.
  *
  * Everybody who can write beside the output can put such a file there. So a file is only used if
  * it has the form of ours, and if its names stay inside the folder that they belong to. Otherwise
  * the error names the file, and nothing is deleted.
  */
private[jobs] object ForeignRecord {

  /** Names of runs, of recoveries and of earlier versions; none has a separator of folders. */
  private val runName = "[A-Za-z0-9][A-Za-z0-9._-]{0,199}"

  /** The record in a file; none when there is no file. */
  def read[A](store: Store, path: String)(parse: String => A): Option[A] =
    store.read(path).map { text =>
      try parse(text)
      catch {
        case error @ (_: OddRecordException | _: JsonProcessingException) =>
          throw new OutputBusyException(
            Explain(
              s"The file $path is not one that a job writes.",
              expected = "a file of the commit, as a job writes it",
              found = String.valueOf(error.getMessage),
              hint = "find out who wrote it, and move it away; then run the same command again."
            ),
            Some(error)
          )
      }
    }

  /** An object of JSON. */
  def record(json: JsonNode): JsonNode =
    if (json.isObject) json else throw new OddRecordException(s"$json is not an object")

  /** A text in an object. */
  def text(json: JsonNode, name: String): String = asText(json.path(name))

  /** The name of a run, which cannot lead to another folder. */
  def run(json: JsonNode): String =
    if (isRun(json)) json.asText
    else throw new OddRecordException(s"$json is not the name of a run")

  /** Whether a value can be the name of a run. */
  def isRun(json: JsonNode): Boolean = json.isTextual && json.asText.matches(runName)

  /** A list of texts in an object. */
  def texts(json: JsonNode, name: String): Seq[String] = {
    val list = json.path(name)
    if (!list.isArray) throw new OddRecordException(s"$name is not a list")
    list.elements.asScala.map(asText).toSeq
  }

  /** A list of relative paths that stay in their folder. Hadoop resolves `..`, `.` and empty parts.
    */
  def namesInside(json: JsonNode, name: String): Seq[String] = {
    val names = texts(json, name)
    names.find(one =>
      one.contains('\u0000') || one.split("/", -1).exists(Set("", ".", ".."))
    ).foreach {
      odd => throw new OddRecordException(s"'$odd' is not the name of a file in the folder")
    }
    names
  }

  private def asText(json: JsonNode): String =
    if (json.isTextual) json.asText else throw new OddRecordException(s"$json is not a text")
}

/** A file that has not the form of ours. */
final private[jobs] class OddRecordException(message: String)
    extends IllegalArgumentException(message)
