package io.tfspark.operations

import scala.collection.mutable
import scala.jdk.CollectionConverters._

import io.tfspark.operations.Calls._
import org.tensorflow.proto._

/** Finds out who chooses the name of a file that an operation opens: the loader or the model.
  * Driver.
  *
  * Follows a tensor back to an asset of the export dir or to the name of the checkpoint;
  * TensorFlow's loaders feed both. The model chooses every other name, such as a constant.
  *
  * TensorFlow 2 keeps the path of an asset in a variable, which the initialisation assigns. The
  * variable counts as the asset when nothing else can assign it: all its nodes are in the graph
  * itself, and they only read it, check that it is initialised, or assign the asset.
  */
final private[operations] class FileNames(graph: MetaGraphDef, calls: Calls) {
  import FileNames._

  private val objects = graph.getObjectGraphDef
  private val assets = assetsOf(graph).map(one => nodeOf(one.getTensorInfo.getName)).toSet
  private val checkpoint = nodeOf(graph.getSaverDef.getFilenameTensorName)
  private val variables =
    calls.all.filter(_.node.getOp == "VarHandleOp").groupBy(one => sharedName(one.node))

  private val known = mutable.HashMap.empty[(String, String), Set[Kind]]

  /** Where a tensor comes from, in every call. */
  def kinds(scope: String, tensor: String, steps: Int = 0): Set[Kind] = {
    val place = (scope, nodeOf(tensor))
    if (!known.contains(place)) {
      known(place) = Set(Other) // the result for a cycle
      known(place) = traced(scope, nodeOf(tensor), steps)
    }
    known(place)
  }

  private def traced(scope: String, name: String, steps: Int): Set[Kind] =
    if (steps > mostSteps) Set(Other)
    else if (scope == Graph && assets(name)) Set(Asset)
    else if (scope == Graph && name == checkpoint) Set(Checkpoint)
    else calls.nodes(scope).get(name) match {
      case None => ofArgument(scope, name, steps)
      case Some(node) if same(node.getOp) && node.getInputCount > 0 =>
        kinds(scope, node.getInput(0), steps + 1)
      case Some(node)
          if node.getOp == "ReadVariableOp" && scope == Graph && node.getInputCount > 0 =>
        ofVariable(node.getInput(0), steps)
      case Some(_) => Set(Other)
    }

  private def ofArgument(function: String, name: String, steps: Int): Set[Kind] = {
    val arguments = calls.functions.get(function).toSeq.flatMap(
      _.getSignature.getInputArgList.asScala
    )
    val at = arguments.indexWhere(_.getName == name)
    // An argument of several tensors shifts the positions of all later arguments.
    val isPlain = arguments.forall(one => one.getNumberAttr.isEmpty && one.getTypeListAttr.isEmpty)
    if (at < 0 || !isPlain) Set(Other)
    else {
      val bound = Option.when(calls.isInObjectGraph(function))(
        ofBound(function, at - arguments.size)
      )
      bound.toSet ++ calls.callers(function).flatMap(ofCall(function, at, _, steps))
    }
  }

  private def ofCall(function: String, at: Int, call: Placed, steps: Int): Set[Kind] = {
    val tensors = inputs(call.node).filterNot(_.startsWith("^"))
    val isPlain = plainCalls(call.node.getOp) || call.node.getOp == function
    if (isPlain && at < tensors.size) kinds(call.scope, tensors(at), steps + 1) else Set(Other)
  }

  /** The kind that the object graph binds to an argument; `fromEnd` counts from the end. */
  private def ofBound(function: String, fromEnd: Int): Kind = {
    val bound = objects.getConcreteFunctionsMap.get(function).getBoundInputsList.asScala
    val number = bound.lift(bound.size + fromEnd).fold(-1)(_.intValue)
    if (number >= 0 && number < objects.getNodesCount && objects.getNodes(number).hasAsset) Asset
    else Other
  }

  private def ofVariable(handle: String, steps: Int): Set[Kind] =
    calls.nodes(Graph).get(nodeOf(handle)).filter(_.getOp == "VarHandleOp") match {
      case None => Set(Other)
      case Some(node) =>
        val handles = variables(sharedName(node))
        val names = handles.map(_.node.getName).toSet
        if (handles.exists(_.scope != Graph)) Set(Other)
        else calls.nodes(Graph).values.toSet.flatMap(ofUse(_, names, steps))
    }

  /** The kinds of the values that a node may write into a variable. */
  private def ofUse(user: NodeDef, handles: Set[String], steps: Int): Set[Kind] = {
    val tensors = inputs(user).filterNot(_.startsWith("^"))
    if (!tensors.map(nodeOf).exists(handles)) Set.empty
    else user.getOp match {
      case "ReadVariableOp" | "VarIsInitializedOp" => Set.empty
      case "AssignVariableOp" if handles(nodeOf(tensors.head)) && tensors.size > 1 =>
        kinds(Graph, tensors(1), steps + 1)
      case _ => Set(Other)
    }
  }
}

private[operations] object FileNames {
  sealed trait Kind
  case object Asset extends Kind
  case object Checkpoint extends Kind
  case object Other extends Kind

  private val assetCollection = "saved_model_assets"
  private val plainCalls = Set("PartitionedCall", "StatefulPartitionedCall")
  private val same = Set("Identity", "StopGradient")
  private val mostSteps = 100

  /** The assets of a graph; exports of TensorFlow 1 list them in a collection. */
  private def assetsOf(graph: MetaGraphDef): Seq[AssetFileDef] = {
    val listed = graph.getAssetFileDefList.asScala.toSeq
    if (listed.nonEmpty) listed
    else Option(graph.getCollectionDefMap.get(assetCollection)).toSeq
      .flatMap(_.getAnyList.getValueList.asScala)
      .map(one => AssetFileDef.parseFrom(one.getValue))
  }

  /** The name under which a session stores a variable. */
  private def sharedName(node: NodeDef): String =
    Option(node.getAttrMap.get("shared_name")).map(_.getS.toStringUtf8).filter(_.nonEmpty)
      .getOrElse(node.getName)
}
