package io.tfspark.operations

import scala.annotation.tailrec
import scala.collection.mutable
import scala.jdk.CollectionConverters._

import com.google.protobuf.ByteString
import io.tfspark.model.Assets
import io.tfspark.operations.Calls._
import org.tensorflow.proto._

/** Determines whether the loader or the model chooses the name of a file that an operation opens.
  * Driver.
  *
  * Follows a tensor back to the asset of the export dir or to the name of the checkpoint, which
  * TensorFlow's loaders feed. The model chooses everything else, such as a constant.
  *
  * TensorFlow 2 keeps the path of an asset in a variable that the initialisation assigns. The
  * variable counts as the asset if nothing else can assign it: all nodes of the variable are in the
  * graph itself, and each only reads it, checks whether it is initialised, or assigns the asset
  * during the initialisation of the model, when the loader feeds the asset.
  */
final private[operations] class FileNames(graph: MetaGraphDef, calls: Calls) {
  import FileNames._

  private val objects = graph.getObjectGraphDef
  private val assets = Assets.of(graph).map(one => whole(one.getTensorInfo.getName)).toSet
  private val checkpoint = whole(graph.getSaverDef.getFilenameTensorName)
  private val known = mutable.HashMap.empty[(String, String), Set[Kind]]
  private val held = mutable.HashMap.empty[ByteString, Set[Kind]]
  private val plain = mutable.HashMap.empty[(String, String), Int]
  private val left = Iterator.range(0, mostStepsInAll)
  private val positions = mutable.HashMap.empty[String, Map[String, Int]]
  private val variables =
    calls.all.filter(_.node.getOp == "VarHandleOp").groupBy(one => sharedName(one.node))

  /** Node of a variable → the nodes of the graph that use it. */
  private val users: Map[String, Seq[NodeDef]] = {
    val handles = variables.values.flatten.map(_.node.getName).toSet
    calls.nodes(Graph).values.toSeq
      .flatMap(user => data(user).map(nodeOf).distinct.filter(handles).map(_ -> user))
      .groupMap(_._1)(_._2).withDefaultValue(Nil)
  }

  /** The origins of a tensor over all calls. */
  def kinds(scope: String, tensor: String, steps: Int = 0): Set[Kind] = {
    val name = if (scope == Graph) whole(tensor) else tensor
    if (!known.contains((scope, name))) {
      known((scope, name)) = Set(Other) // the result inside a cycle
      known((scope, name)) = traced(scope, name, steps)
    }
    known((scope, name))
  }

  private def traced(scope: String, tensor: String, steps: Int): Set[Kind] =
    if (steps > mostSteps || left.nextOption().isEmpty) Set(Other)
    else if (scope == Graph && assets(tensor)) Set(Asset)
    else if (scope == Graph && tensor == checkpoint) Set(Checkpoint)
    else calls.nodes(scope).get(nodeOf(tensor)) match {
      case None => ofArgument(scope, tensor, steps)
      case Some(node) if !isFirst(scope, tensor) || node.getInputCount == 0 => Set(Other)
      case Some(node) if same(node.getOp) => kinds(scope, node.getInput(0), steps + 1)
      case Some(node) if node.getOp == "ReadVariableOp" && scope == Graph =>
        ofVariable(node.getInput(0), steps)
      case Some(_) => Set(Other)
    }

  private def ofArgument(function: String, name: String, steps: Int): Set[Kind] =
    positionsOf(function).get(name) match {
      case None => Set(Other)
      case Some(at) =>
        val bound = Option.when(calls.isInObjectGraph(function))(ofBound(function, at)).toSet
        val found = ofCalls(function, at, calls.callers(function).iterator, bound, steps)
        if (found.isEmpty) Set(Other) else found // no known caller
    }

  /** The origins of the argument in the remaining calls; `Other` ends the search. */
  @tailrec
  private def ofCalls(
      function: String,
      at: Int,
      rest: Iterator[Placed],
      found: Set[Kind],
      steps: Int
  ): Set[Kind] =
    if (found(Other) || !rest.hasNext) found
    else ofCalls(function, at, rest, found ++ ofCall(function, at, rest.next(), steps), steps)

  /** Argument → its position, if every argument is one tensor. */
  private def positionsOf(function: String): Map[String, Int] =
    positions.getOrElseUpdate(
      function, {
        val arguments =
          calls.functions.get(function).toSeq.flatMap(_.getSignature.getInputArgList.asScala)
        // An argument of several tensors shifts the positions of all later arguments.
        val isPlain =
          arguments.forall(one => one.getNumberAttr.isEmpty && one.getTypeListAttr.isEmpty)
        if (isPlain) arguments.map(_.getName).zipWithIndex.toMap else Map.empty
      }
    )

  private def ofCall(function: String, at: Int, call: Placed, steps: Int): Set[Kind] = {
    val node = call.node
    val isDirect = node.getOp == function || plainCalls(node.getOp) &&
      node.getAttrOrDefault("f", AttrValue.getDefaultInstance).getFunc.getName == function
    if (isDirect && at < plainInputs(call)) kinds(call.scope, node.getInput(at), steps + 1)
    else Set(Other)
  }

  /** How many of the first inputs of a call are one tensor each. */
  private def plainInputs(call: Placed): Int =
    plain.getOrElseUpdate(
      (call.scope, call.node.getName),
      inputs(call.node).takeWhile(isPlain(call.scope, _)).size
    )

  /** Whether an input is one tensor; in a body, a name may stand for several. */
  private def isPlain(scope: String, tensor: String): Boolean =
    !tensor.startsWith("^") &&
      (scope == Graph || tensor.count(_ == ':') == 2 || positionsOf(scope).contains(tensor))

  /** The value that the object graph binds to an argument; it binds the last arguments. */
  private def ofBound(function: String, at: Int): Kind = {
    val bound = Option(objects.getConcreteFunctionsMap.get(function)).toSeq
      .flatMap(_.getBoundInputsList.asScala)
    val first = positionsOf(function).size - bound.size
    val number = if (first >= 0) bound.lift(at - first).fold(-1)(_.intValue) else -1
    if (number >= 0 && number < objects.getNodesCount && objects.getNodes(number).hasAsset) Asset
    else Other
  }

  private def ofVariable(handle: String, steps: Int): Set[Kind] =
    calls.nodes(Graph).get(nodeOf(handle)).filter(_.getOp == "VarHandleOp") match {
      case None => Set(Other)
      case Some(node) =>
        val name = sharedName(node)
        if (!held.contains(name)) {
          held(name) = Set(Other) // what a cycle finds
          held(name) = assigned(variables(name), steps)
        }
        held(name)
    }

  /** The values that the nodes of a variable may assign to it. */
  private def assigned(handles: Seq[Placed], steps: Int): Set[Kind] = {
    val found =
      if (handles.exists(_.scope != Graph)) Nil
      else for {
        handle <- handles
        user <- users(handle.node.getName)
        kind <- ofUse(user, handle.node.getName, steps)
      } yield kind
    if (found.isEmpty) Set(Other) else found.toSet
  }

  /** The value that a node may write into a variable. */
  private def ofUse(user: NodeDef, handle: String, steps: Int): Set[Kind] = user.getOp match {
    case "ReadVariableOp" | "VarIsInitializedOp" => Set.empty
    case "AssignVariableOp"
        if user.getInputCount > 1 && nodeOf(user.getInput(0)) == handle && !calls
          .occasions(Placed(Graph, user)).exists(Set(Occasion.Signature, Occasion.Restore)) =>
      kinds(Graph, user.getInput(1), steps + 1)
    case _ => Set(Other)
  }
}

private[operations] object FileNames {
  sealed trait Kind
  case object Asset extends Kind
  case object Checkpoint extends Kind
  case object Other extends Kind

  private val plainCalls = Set("PartitionedCall", "StatefulPartitionedCall")
  private val same = Set("Identity", "StopGradient")
  private val mostSteps = 100

  /** Most steps through one graph; names beyond that count as chosen by the model. */
  private val mostStepsInAll = 200000

  private def data(node: NodeDef): Seq[String] = inputs(node).filterNot(_.startsWith("^"))

  /** The name of a tensor of the graph with its number. */
  private def whole(tensor: String): String = if (tensor.contains(':')) tensor else s"$tensor:0"

  /** Whether a tensor is the first result of its node. */
  private def isFirst(scope: String, tensor: String): Boolean = {
    val parts = tensor.split(":", -1)
    parts.last == "0" && parts.length == (if (scope == Graph) 2 else 3)
  }

  /** The name of a variable in the session; all variables without one are the same variable. */
  private def sharedName(node: NodeDef): ByteString =
    node.getAttrOrDefault("shared_name", AttrValue.getDefaultInstance).getS
}
