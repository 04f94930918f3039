package io.tfspark.model

import scala.annotation.tailrec
import scala.collection.mutable
import scala.jdk.CollectionConverters._

import org.tensorflow.proto._

/** Shapes and types that a signature leaves open, taken from the graph behind it. Driver; from the
  * protocol buffer alone.
  *
  * What the signature states is kept; a shape comes from the graph's own `_output_shapes`, through
  * calls of functions, otherwise from the rules of `ShapeRules`; what neither tells stays unknown.
  * A graph may have cycles and be of any depth. The rules are those of Python's
  * `tfspark.saved_model.graph_shapes`.
  */
private[model] object GraphShapes {

  /** A signature with the ranks and types that the graph knows. */
  def completed(signature: Signature, graph: GraphDef): Signature = {
    val specs = signature.inputs ++ signature.outputs
    if (specs.forall(spec => spec.shape.isDefined && spec.dtype != unknownType)) signature
    else {
      val shapes = new GraphShapes(graph)
      signature.copy(
        inputs = signature.inputs.map(shapes.complete),
        outputs = signature.outputs.map(shapes.complete)
      )
    }
  }

  /** Nodes between an output and what tells its shape; each takes some frames of the stack. */
  val MostSteps = 100

  /** Up to this version of graphs, an empty shape of a placeholder says nothing. */
  private val legacyVersion = 21
  private val calls = Set("PartitionedCall", "StatefulPartitionedCall")
  private val unknownType = DType.nameOf(0)

  /** Where a node says the type of its result; of other operations it is not asked. */
  private val typeAttributes: Map[String, String] = Map(
    "Placeholder PlaceholderWithDefault Const VariableV2" -> "dtype",
    "Identity Add AddV2 Sub Mul RealDiv MatMul BiasAdd Sigmoid Softmax Relu Tanh Reshape Squeeze" ->
      "T",
    "Cast" -> "DstT"
  ).flatMap { case (names, attribute) => names.split(' ').map(_ -> attribute) }

  /** The graph, or the body of a function as one node calls it.
    *
    * @param arguments argument of the function → the tensor that the call gives
    */
  final class Scope(nodes: Iterable[NodeDef], val arguments: Map[String, Tensor] = Map.empty) {
    val byName: Map[String, NodeDef] = nodes.map(node => node.getName -> node).toMap
  }

  /** A tensor, by its name in a scope: `node:1` in the graph, `node:output:1` in a body. */
  final case class Tensor(scope: Scope, name: String)

  /** The node that makes a tensor, and which of its results the tensor is. */
  final case class End(scope: Scope, node: NodeDef, index: Int) {

    /** The tensor that is an input of the node. */
    def input(at: Int): Option[Tensor] =
      Option.when(at < node.getInputCount)(node.getInput(at)).filterNot(_.startsWith("^"))
        .map(Tensor(scope, _))
  }

  /** An attribute of a node. */
  def attribute(node: NodeDef, name: String): AttrValue =
    node.getAttrOrDefault(name, AttrValue.getDefaultInstance)

  private def saidShapes(node: NodeDef): Seq[TensorShapeProto] =
    attribute(node, "_output_shapes").getList.getShapeList.asScala.toSeq

  /** Whether the number behind an output's name in a body counts all results of the node; an
    * operation with several outputs counts within each of them, which only its definition tells.
    */
  private def isCounted(node: NodeDef): Boolean =
    calls(node.getOp) || saidShapes(node).size <= 1
}

/** Answers what a graph knows of its tensors. */
final private[model] class GraphShapes(graph: GraphDef) {
  import GraphShapes._

  private val main = new Scope(graph.getNodeList.asScala)
  private val functions =
    graph.getLibrary.getFunctionList.asScala.map(one => one.getSignature.getName -> one).toMap
  private val bodies = mutable.Map.empty[(Scope, String), Scope]
  private val shapes = mutable.Map.empty[Tensor, Option[Shape]]

  /** Whether the graph is of a time when an empty shape of a placeholder meant an unknown one. */
  val isLegacy: Boolean = graph.getVersions.getProducer <= legacyVersion

  /** A spec with the rank and type that it leaves open, where the graph knows them. */
  def complete(spec: TensorSpec): TensorSpec =
    if (spec.tensor.isEmpty) spec // a composite tensor is no tensor of the graph
    else {
      val tensor = Tensor(main, spec.tensor)
      val dtype = if (spec.dtype == unknownType) DType.nameOf(typeOf(tensor)) else spec.dtype
      spec.copy(dtype = dtype, shape = spec.shape.orElse(shape(tensor, 0)))
    }

  /** The shape of a tensor that is so many steps away; nothing for an unknown rank. */
  def shape(tensor: Tensor, steps: Int): Option[Shape] = {
    if (!shapes.contains(tensor) && steps < MostSteps) {
      shapes(tensor) = None // what a cycle finds
      shapes(tensor) = end(tensor).flatMap(made(_, steps + 1))
    }
    shapes.get(tensor).flatten
  }

  /** The node that makes a tensor, inside the functions called for it. */
  @tailrec
  def origin(tensor: Tensor, steps: Int = 0): Option[End] = end(tensor) match {
    case Some(found) if steps < MostSteps =>
      val passed = called(found).orElse(
        if (found.node.getOp == "Identity") found.input(0) else None
      )
      passed match {
        case Some(other) => origin(other, steps + 1)
        case None => Some(found)
      }
    case _ => None
  }

  private def made(end: End, steps: Int): Option[Shape] =
    saidShapes(end.node).lift(end.index).flatMap(TensorSpec.shapeOf).orElse {
      called(end) match {
        case Some(result) => shape(result, steps)
        case None if end.index == 0 => ShapeRules(new Operands(this, end, steps))
        case None => None
      }
    }

  private def typeOf(tensor: Tensor): Int = {
    val found = for {
      end <- origin(tensor)
      name <- typeAttributes.get(end.node.getOp)
    } yield attribute(end.node, name).getTypeValue
    found.getOrElse(0)
  }

  /** The node that makes a tensor, where the functions around it are called. */
  @tailrec
  private def end(tensor: Tensor): Option[End] = tensor.scope.arguments.get(tensor.name) match {
    case Some(outer) => end(outer)
    case None =>
      val (name, rest) = tensor.name.span(_ != ':')
      val parts = rest.drop(1).split(':')
      tensor.scope.byName.get(name).filter(node => parts.size < 2 || isCounted(node)).map {
        End(tensor.scope, _, parts.lastOption.flatMap(_.toIntOption).getOrElse(0))
      }
  }

  /** The tensor in a function's body that a call returns; nothing for no call. */
  private def called(end: End): Option[Tensor] =
    functions.get(attribute(end.node, "f").getFunc.getName).filter(_ =>
      calls(end.node.getOp)
    ).flatMap { function =>
      val inputs = function.getSignature.getInputArgList.asScala.toSeq
      val outputs = function.getSignature.getOutputArgList.asScala.toSeq
      val fed = end.node.getInputList.asScala.toSeq.filterNot(_.startsWith("^"))
      val isPlain = (inputs ++ outputs).forall(one =>
        one.getNumberAttr.isEmpty && one.getTypeListAttr.isEmpty
      )
      Option.when(isPlain && fed.size == inputs.size && end.index < outputs.size) {
        val body = bodies.getOrElseUpdate(
          (end.scope, end.node.getName),
          new Scope(
            function.getNodeDefList.asScala,
            inputs.map(_.getName).zip(fed.map(Tensor(end.scope, _))).toMap
          )
        )
        Tensor(body, function.getRetOrDefault(outputs(end.index).getName, ""))
      }
    }
}
