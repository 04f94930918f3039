package io.tfspark.jobs.commit

import scala.jdk.CollectionConverters._

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper, SerializationFeature}
import com.fasterxml.jackson.databind.node.{ArrayNode, ObjectNode}

/** The JSON of locks and journals. Driver. */
private[jobs] object Json {
  private val mapper = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT)

  def node(): ObjectNode = mapper.createObjectNode()

  def array(texts: Seq[String]): ArrayNode = {
    val array = mapper.createArrayNode()
    texts.foreach(text => array.add(text))
    array
  }

  def texts(array: JsonNode): Seq[String] = array.elements.asScala.map(_.asText).toSeq

  def parse(text: String): JsonNode = mapper.readTree(text)

  /** A file's text. */
  def print(node: JsonNode): String = s"${mapper.writeValueAsString(node)}\n"
}
