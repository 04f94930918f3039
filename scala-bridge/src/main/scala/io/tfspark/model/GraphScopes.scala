package io.tfspark.model

import scala.annotation.tailrec
import scala.collection.mutable
import scala.jdk.CollectionConverters._

import org.tensorflow.proto._

/** Looks up nodes in a graph and in the functions that it calls. Driver; reads only the protocol
  * buffer.
  *
  * Follows the name of a tensor to the node that makes it, into the bodies of functions and back
  * out through their arguments. A graph may have cycles and any depth. It may also be written to
  * slow down its readers. Therefore the look-ups are limited, and all calls of a function share
  * what is read from its body. The rules are those of Python's `tfspark.saved_model.graph_scopes`.
  */
private[model] object GraphScopes {

  /** Most nodes between an output and the node that determines its shape; each needs some stack
    * frames.
    */
  val MostSteps: Int = 100

  /** Look-ups of nodes in one graph; a node that is looked up twice counts twice. */
  private val mostNodes = 30000
  private val longestName = 10000
  private val calls = Set("PartitionedCall", "StatefulPartitionedCall")

  /** The graph, or the body of a function as one node calls it.
    *
    * @param nodes by name
    * @param arguments argument of the function → its position among the inputs of the call
    * @param call the calling node; none for the graph
    */
  final class Scope(
      val nodes: Map[String, NodeDef],
      val arguments: Map[String, Int] = Map.empty,
      val call: Option[End] = None
  )

  /** A tensor, by its name in a scope: `node:1` in the graph, `node:output:1` in a body. */
  final case class Tensor(scope: Scope, name: String)

  /** The node that makes a tensor, and the position of the tensor among its results. */
  final case class End(scope: Scope, node: NodeDef, index: Int) {

    /** The tensor that is an input of the node. */
    def input(at: Int): Option[Tensor] =
      Option.when(at < node.getInputCount)(node.getInput(at)).filterNot(_.startsWith("^"))
        .map(Tensor(scope, _))
  }

  /** The body of a function, shared by all its calls. */
  final private class Body(val function: FunctionDef) {
    private val inputs = function.getSignature.getInputArgList.asScala.toSeq
    val nodes: Map[String, NodeDef] = byName(function.getNodeDefList.asScala)
    val arguments: Map[String, Int] = inputs.map(_.getName).zipWithIndex.toMap

    /** Whether each argument and each result is one tensor. */
    val isPlain: Boolean =
      arguments.size == inputs.size &&
        (inputs ++ function.getSignature.getOutputArgList.asScala).forall(one =>
          one.getNumberAttr.isEmpty && one.getTypeListAttr.isEmpty
        )
  }

  /** An attribute of a node. */
  def attribute(node: NodeDef, name: String): AttrValue =
    node.getAttrOrDefault(name, AttrValue.getDefaultInstance)

  private def byName(nodes: Iterable[NodeDef]): Map[String, NodeDef] =
    nodes.map(node => node.getName -> node).toMap

  /** Whether a call has `count` inputs before its control inputs. */
  private def gives(call: NodeDef, count: Int): Boolean = {
    def isControl(at: Int) = call.getInput(at).startsWith("^")
    call.getInputCount >= count && !(count > 0 && isControl(count - 1)) &&
    (call.getInputCount == count || isControl(count))
  }

  /** Whether the number after an output's name in a body counts all results of the node. If an
    * operation has several outputs, the number counts within each of them; only the operation's
    * definition has their sizes.
    */
  private def isCounted(node: NodeDef): Boolean =
    calls(node.getOp) || attribute(node, "_output_shapes").getList.getShapeCount <= 1
}

/** The nodes of a graph and of its functions. */
final private[model] class GraphScopes(graph: GraphDef) {
  import GraphScopes._

  /** The graph itself. */
  val main: Scope = new Scope(byName(graph.getNodeList.asScala))

  private val functions =
    graph.getLibrary.getFunctionList.asScala.map(one => one.getSignature.getName -> one).toMap
  private val bodies = mutable.HashMap.empty[String, Body]
  private val scopes = mutable.HashMap.empty[(Scope, String), Scope]
  private val left = Iterator.range(0, mostNodes)

  /** The node that makes a tensor, where the functions around it are called. */
  def end(tensor: Tensor): Option[End] = {
    val inner = outside(tensor)
    val (name, rest) = inner.name.span(_ != ':')
    for {
      _ <- left.nextOption() if inner.name.length <= longestName
      parts = rest.drop(1).split(':')
      node <- inner.scope.nodes.get(name) if parts.size < 2 || isCounted(node)
    } yield End(
      inner.scope,
      node,
      parts.lastOption.flatMap(_.toIntOption).filter(_ >= 0).getOrElse(0)
    )
  }

  /** The tensor in a function's body that a call returns; none if the node is not a call. */
  def called(end: End): Option[Tensor] =
    for {
      body <- body(end.node) if body.isPlain && gives(end.node, body.arguments.size)
      outputs = body.function.getSignature
      if end.index < outputs.getOutputArgCount
    } yield {
      val scope = scopes.getOrElseUpdate(
        (end.scope, end.node.getName),
        new Scope(body.nodes, body.arguments, Some(end))
      )
      Tensor(scope, body.function.getRetOrDefault(outputs.getOutputArg(end.index).getName, ""))
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

  /** The tensor that the call passes for an argument, followed through all enclosing calls. */
  @tailrec
  private def outside(tensor: Tensor): Tensor =
    (tensor.scope.call, tensor.scope.arguments.get(tensor.name)) match {
      case (Some(call), Some(at)) => outside(Tensor(call.scope, call.node.getInput(at)))
      case _ => tensor
    }

  private def body(call: NodeDef): Option[Body] =
    if (!calls(call.getOp)) None
    else {
      val name = attribute(call, "f").getFunc.getName
      functions.get(name).map(function => bodies.getOrElseUpdate(name, new Body(function)))
    }
}
