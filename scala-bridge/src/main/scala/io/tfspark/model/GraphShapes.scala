package io.tfspark.model

import scala.collection.mutable

import io.tfspark.model.GraphScopes._
import org.tensorflow.proto._

/** Takes the shapes and types that a signature leaves open from its graph. Driver; reads only the
  * protocol buffer.
  *
  * Shapes and types in the signature are kept. A missing shape comes from the graph's own
  * `_output_shapes`, also inside called functions, otherwise from `ShapeRules`; otherwise it stays
  * unknown. A graph may have cycles and any depth. It may also be written to slow down its readers,
  * so nodes looked up, dimensions and values of constants are limited. The rules are those of
  * Python's `tfspark.saved_model.graph_shapes`.
  */
private[model] object GraphShapes {

  /** Signatures with the ranks and types that the graph knows. */
  def completed(signatures: Seq[Signature], graph: GraphDef): Seq[Signature] =
    if (!signatures.exists(isOpen)) signatures
    else {
      val shapes = new GraphShapes(graph)
      signatures.map(one =>
        one.copy(
          inputs = one.inputs.map(shapes.complete),
          outputs = one.outputs.map(shapes.complete)
        )
      )
    }

  private def isOpen(signature: Signature): Boolean =
    (signature.inputs ++ signature.outputs).exists(spec =>
      spec.shape.isEmpty || spec.dtype == unknownType
    )

  /** Up to this version of graphs, an empty shape of a placeholder means an unknown shape. */
  private val legacyVersion = 21
  private val unknownType = DType.nameOf(0)

  /** Operation → attribute with the type of its result; other operations are not read. */
  private val typeAttributes: Map[String, String] = Map(
    "Placeholder PlaceholderWithDefault Const VariableV2" -> "dtype",
    "Identity Add AddV2 Sub Mul RealDiv MatMul BiasAdd Sigmoid Softmax Relu Tanh Reshape Squeeze" ->
      "T",
    "Cast" -> "DstT"
  ).flatMap { case (names, attribute) => names.split(' ').map(_ -> attribute) }
}

/** Computes the shapes and types of a graph's tensors. */
final private[model] class GraphShapes(graph: GraphDef) {
  import GraphShapes._

  /** The nodes of the graph and of its functions. */
  val scopes: GraphScopes = new GraphScopes(graph)

  private val shapes = mutable.HashMap.empty[Tensor, Option[Shape]]

  /** Whether the graph is so old that an empty shape of a placeholder means an unknown shape. */
  val isLegacy: Boolean = graph.getVersions.getProducer <= legacyVersion

  /** A spec, completed with the rank and type that the graph has. */
  def complete(spec: TensorSpec): TensorSpec =
    if (spec.tensor.isEmpty) spec // a composite tensor has no tensor in the graph
    else {
      val tensor = Tensor(scopes.main, spec.tensor)
      val dtype = if (spec.dtype == unknownType) DType.nameOf(typeOf(tensor)) else spec.dtype
      spec.copy(dtype = dtype, shape = spec.shape.orElse(shape(tensor, 0)))
    }

  /** The shape of a tensor after `steps` steps; none for an unknown rank. */
  def shape(tensor: Tensor, steps: Int): Option[Shape] = {
    if (!shapes.contains(tensor) && steps < MostSteps) {
      shapes(tensor) = None // the result inside a cycle
      shapes(tensor) =
        scopes.end(tensor).flatMap(made(_, steps + 1)).filter(_.sizeIs <= TensorSpec.MostDimensions)
    }
    shapes.get(tensor).flatten
  }

  private def made(end: End, steps: Int): Option[Shape] = {
    val said = attribute(end.node, "_output_shapes").getList
    val stated = Option.when(end.index < said.getShapeCount)(said.getShape(end.index))
    stated.flatMap(TensorSpec.shapeOf).orElse {
      scopes.called(end) match {
        case Some(result) => shape(result, steps)
        case None if end.index == 0 => ShapeRules(new Operands(this, end, steps))
        case None => None
      }
    }
  }

  private def typeOf(tensor: Tensor): Int = {
    val found = for {
      end <- scopes.origin(tensor)
      name <- typeAttributes.get(end.node.getOp)
    } yield attribute(end.node, name).getTypeValue
    found.getOrElse(0)
  }
}
