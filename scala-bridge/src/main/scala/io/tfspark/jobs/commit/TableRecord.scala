package io.tfspark.jobs.commit

import com.fasterxml.jackson.databind.JsonNode
import com.fasterxml.jackson.databind.node.ObjectNode

/** The table in the session's catalog whose files a job publishes. Driver.
  *
  * @param name quoted, with its schema
  * @param location URI of its folder
  * @param partitions columns by which it is partitioned
  * @param definition name of the table that defines a new one; empty when the table existed
  */
final private[jobs] case class TableRecord(
    name: String,
    location: String,
    partitions: Seq[String] = Nil,
    definition: String = ""
) {
  def toJson: ObjectNode =
    Json.node().put("name", name).put("location", location)
      .set[ObjectNode]("partitions", Json.array(partitions))
      .put("definition", definition)
}

private[jobs] object TableRecord {
  val keys: Set[String] = Set("name", "location", "partitions", "definition")

  def of(json: JsonNode): TableRecord = {
    def text(name: String) = ForeignRecord.text(json, name)
    val partitions = ForeignRecord.texts(json, "partitions")
    TableRecord(text("name"), text("location"), partitions, text("definition"))
  }
}
