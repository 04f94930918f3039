package io.tfspark

import java.nio.file.{Files, Path, Paths}

import scala.jdk.CollectionConverters._
import scala.util.Using

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import org.tensorflow.proto._

/** The models that `tools/write_models.py` wrote, and the answers of TensorFlow in Python for their
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

  /** A copy of a model whose graph is changed, below the first folder of models. */
  def edited(name: String)(change: MetaGraphDef.Builder => Unit): Path = {
    val base = copy(name)
    val file = base.resolve("1/saved_model.pb")
    val builder = SavedModel.parseFrom(Files.readAllBytes(file)).toBuilder
    change(builder.getMetaGraphsBuilder(0))
    Files.write(file, builder.build().toByteArray)
    base
  }

  /** Remove the shapes from all signatures, as in TensorFlow's oldest models. */
  def withoutShapes(graph: MetaGraphDef.Builder): Unit =
    graph.getSignatureDefMap.asScala.foreach { case (name, signature) =>
      def bare(info: TensorInfo) = info.toBuilder.clearTensorShape().build()
      val changed = signature.toBuilder
      signature.getInputsMap.asScala.foreach { case (key, one) =>
        changed.putInputs(key, bare(one))
      }
      signature.getOutputsMap.asScala.foreach { case (key, one) =>
        changed.putOutputs(key, bare(one))
      }
      graph.putSignatureDef(name, changed.build())
    }

  /** The model of shapes, whose signature leaves the sizes of an output open. */
  def openShape(): Path = edited("shapes") { graph =>
    val signature = graph.getSignatureDefOrThrow("serving_default").toBuilder
    val unknown = TensorShapeProto.Dim.newBuilder().setSize(-1).build()
    val shape = TensorShapeProto.newBuilder().addAllDim(Seq.fill(3)(unknown).asJava)
    val output = signature.getOutputsOrThrow("turned").toBuilder.setTensorShape(shape)
    graph.putSignatureDef("serving_default", signature.putOutputs("turned", output.build()).build())
  }

  /** The answer of the attacker's model for each row. */
  val markerAnswer: Float = -999f

  /** The linear model, changed by an attacker: its answer shows that it ran. */
  def marker(): Path =
    ending("linear", "AddV2", Seq(constant("number", markerAnswer)), _ => "nothing")

  /** The linear model with its answer multiplied by a number. */
  def times(number: Float): Path =
    ending("linear", "Mul", Seq(constant("number", number)), identity)

  /** A model whose answers have the sum of random numbers added, each of them between 0 and 1.
    *
    * @param count how many numbers a run draws; no machine has the memory for 2⁵⁸
    */
  def random(name: String, count: Long): Path = {
    val shape = TensorShapeProto.newBuilder().addDim(TensorShapeProto.Dim.newBuilder().setSize(1))
    def vector(kind: DataType) = TensorProto.newBuilder().setDtype(kind).setTensorShape(shape)
    val nodes = Seq(
      constant("count", vector(DataType.DT_INT64).addInt64Val(count)),
      constant("axis", vector(DataType.DT_INT32).addIntVal(0)),
      node("drawn", "RandomUniform", "count")
        .putAttr("T", typed(DataType.DT_INT64)).putAttr("dtype", typed(DataType.DT_FLOAT)),
      node("number", "Sum", "drawn", "axis").putAttr("T", typed(DataType.DT_FLOAT))
    )
    ending(name, "AddV2", nodes, identity)
  }

  private def node(name: String, op: String, inputs: String*): NodeDef.Builder =
    NodeDef.newBuilder().setName(name).setOp(op).addAllInput(inputs.asJava)

  private def typed(kind: DataType): AttrValue = AttrValue.newBuilder().setType(kind).build()

  private def constant(name: String, number: Float): NodeDef.Builder = {
    val scalar = TensorProto.newBuilder().setDtype(DataType.DT_FLOAT)
      .setTensorShape(TensorShapeProto.getDefaultInstance)
    constant(name, scalar.addFloatVal(number))
  }

  private def constant(name: String, value: TensorProto.Builder): NodeDef.Builder =
    node(name, "Const").putAttr("dtype", typed(value.getDtype))
      .putAttr("value", AttrValue.newBuilder().setTensor(value).build())

  /** A model of floats with another last operation.
    *
    * @param nodes compute the second operand, `number`
    * @param first returns the node of the first operand, given the node of the answer
    */
  private def ending(
      name: String,
      last: String,
      nodes: Seq[NodeDef.Builder],
      first: String => String
  ): Path = edited(name) { graph =>
    val signature = graph.getSignatureDefOrThrow("serving_default").toBuilder
    val output = signature.getOutputsOrThrow("outputs")
    val kind = typed(DataType.DT_FLOAT)
    val added = nodes ++ Seq(
      node("nothing", "Sub", output.getName, output.getName).putAttr("T", kind),
      node("last", last, first(output.getName), "number").putAttr("T", kind)
    )
    graph.getGraphDefBuilder.addAllNode(added.map(_.build()).asJava)
    signature.putOutputs("outputs", output.toBuilder.setName("last:0").build())
    graph.putSignatureDef("serving_default", signature.build())
  }

  /** A copy of a model, which a test can damage. */
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
