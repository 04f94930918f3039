package io.tfspark

import java.nio.file.{Files, Path, Paths}

import scala.jdk.CollectionConverters._
import scala.util.Using

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}

/** The models that `tools/write_models.py` wrote, and what Python's TensorFlow answers for their
  * rows.
  */
object TestModels {
  val folder: Path = Paths.get(sys.props("tfspark.test.models"))

  /** Base path of a model. */
  def path(name: String): String = folder.resolve(name).toString

  /** All models with their answers. */
  lazy val answers: Map[String, JsonNode] =
    new ObjectMapper().readTree(folder.resolve("answers.json").toFile).properties.asScala.map {
      entry =>
        entry.getKey -> entry.getValue
    }.toMap

  /** A copy of a model, to be broken. */
  def copy(name: String): Path = {
    val base = Files.createTempDirectory("tfspark-test-").resolve(name)
    val from = folder.resolve(name)
    Using.resource(Files.walk(from)) {
      _.iterator.asScala.foreach(one =>
        Files.copy(one, base.resolve(from.relativize(one).toString))
      )
    }
    base
  }
}
