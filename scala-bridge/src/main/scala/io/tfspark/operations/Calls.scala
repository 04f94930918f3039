package io.tfspark.operations

import scala.annotation.tailrec
import scala.collection.mutable
import scala.jdk.CollectionConverters._

import com.google.protobuf.ByteString
import org.tensorflow.proto._

/** A node and the function that it belongs to; the graph itself is the scope `""`. */
final private[operations] case class Placed(scope: String, node: NodeDef)

/** Finds when each node of a graph runs: for a signature, at initialisation, at restore, or never.
  * Driver.
  *
  * The nodes of a function run when a node that calls the function runs. TensorFlow's own loader
  * may also call the functions that the object graph lists.
  */
final private[operations] class Calls(graph: MetaGraphDef) {
  import Calls._

  private val library = graph.getGraphDef.getLibrary.getFunctionList.asScala.toSeq

  /** Function by name. */
  val functions: Map[String, FunctionDef] =
    library.map(one => one.getSignature.getName -> one).toMap

  /** Every node of every scope. */
  val all: Seq[Placed] =
    graph.getGraphDef.getNodeList.asScala.toSeq.map(Placed(Graph, _)) ++
      library.flatMap(one =>
        one.getNodeDefList.asScala.map(Placed(one.getSignature.getName, _))
      )

  /** Scope → node by name. */
  val nodes: Map[String, Map[String, NodeDef]] = {
    val named = all.groupMap(_.scope)(_.node).view.mapValues(_.map(one => one.getName -> one).toMap)
    named.toMap.withDefaultValue(Map.empty)
  }

  /** Name of a function → each call of it. */
  val callers: Map[String, Seq[Placed]] =
    all.flatMap(one => called(one.node).map(_ -> one)).groupMap(_._1)(_._2).withDefaultValue(Nil)

  private val objects = graph.getObjectGraphDef.getConcreteFunctionsMap.keySet.asScala.toSet

  private val signatures = graph.getSignatureDefMap.asScala.toMap

  /** Nodes of the graph that a signature runs. */
  val signature: Set[String] = runFor(outputs(signatures - initSignature))

  /** Nodes of the graph that initialisation runs. */
  val init: Set[String] = runFor(
    outputs(signatures.filter(_._1 == initSignature)) ++ initCollections.flatMap(name =>
      Option(graph.getCollectionDefMap.get(name)).toSeq.flatMap(
        _.getNodeList.getValueList.asScala
      )
    )
  )

  /** Nodes of the graph that restoring the checkpoint runs. */
  val restore: Set[String] = runFor(Seq(graph.getSaverDef.getRestoreOpName))

  /** Whether TensorFlow's own loader may call a function. */
  def isInObjectGraph(function: String): Boolean = objects(function)

  /** The nodes of the graph whose run causes a node of a scope to run; `None` stands for a call by
    * TensorFlow's loader.
    */
  def topNodes(one: Placed): Set[Option[String]] =
    if (one.scope == Graph) Set(Some(one.node.getName))
    else tops.getOrElseUpdate(one.scope, top(List(one.scope), Set(one.scope), Set.empty))

  private val tops = mutable.HashMap.empty[String, Set[Option[String]]]

  @tailrec
  private def top(
      waiting: List[String],
      seen: Set[String],
      found: Set[Option[String]]
  ): Set[Option[String]] = waiting match {
    case Nil => found
    case function :: rest =>
      val (direct, inner) = callers(function).partition(_.scope == Graph)
      val next = inner.map(_.scope).toSet -- seen
      val loader = Option.when(isInObjectGraph(function))(Option.empty[String])
      top(rest ++ next, seen ++ next, found ++ direct.map(one => Some(one.node.getName)) ++ loader)
  }

  private def outputs(some: Map[String, SignatureDef]): Seq[String] =
    some.values.toSeq.flatMap(_.getOutputsMap.values.asScala).map(_.getName)

  private def runFor(tensors: Seq[String]): Set[String] =
    reached(tensors.map(nodeOf).toList, Set.empty)

  @tailrec
  private def reached(waiting: List[String], found: Set[String]): Set[String] = waiting match {
    case Nil => found
    case name :: rest =>
      nodes(Graph).get(name).filterNot(_ => found(name)) match {
        case Some(node) => reached(inputs(node).map(nodeOf) ++: rest, found + name)
        case None => reached(rest, found)
      }
  }
}

private[operations] object Calls {

  /** The scope of the graph itself. */
  val Graph: String = ""

  /** Collections with the operations that TensorFlow runs once after it has restored variables. */
  private val initCollections = Seq("saved_model_main_op", "legacy_init_op")
  private val initSignature = "__saved_model_init_op"

  /** Bytes of a graph with one `ReadFile` node whose name has one letter. */
  private val shortestGraph = 15

  /** The name of the node behind a tensor or a control input. */
  def nodeOf(tensor: String): String = tensor.stripPrefix("^").takeWhile(_ != ':')

  /** The inputs of a node. */
  def inputs(node: NodeDef): Seq[String] = node.getInputList.asScala.toSeq

  /** The functions that a node may call. */
  def called(node: NodeDef): Seq[String] =
    node.getOp +: node.getAttrMap.values.asScala.toSeq.flatMap { value =>
      if (value.hasFunc) Seq(value.getFunc.getName)
      else if (value.hasList) value.getList.getFuncList.asScala.map(_.getName)
      else Nil
    }

  /** The texts in a node that may be graphs: a graph begins with the tag of a node, 0x0a. */
  def texts(node: NodeDef): Seq[ByteString] =
    node.getAttrMap.values.asScala.toSeq.flatMap { value =>
      value.getValueCase match {
        case AttrValue.ValueCase.S => Seq(value.getS)
        case AttrValue.ValueCase.LIST => value.getList.getSList.asScala.toSeq
        case AttrValue.ValueCase.TENSOR => value.getTensor.getStringValList.asScala.toSeq
        case _ => Nil
      }
    }.filter(text => text.size >= shortestGraph && text.byteAt(0) == '\n'.toByte)
}
