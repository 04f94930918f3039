package io.tfspark.operations

import scala.annotation.tailrec
import scala.collection.mutable
import scala.jdk.CollectionConverters._
import scala.util.Try

import com.google.protobuf.ByteString
import io.tfspark.error._
import org.tensorflow.proto._

/** A node and the function that it belongs to; the graph itself is the scope `""`. */
final private[operations] case class Placed(scope: String, node: NodeDef)

/** When a node runs. */
sealed private[operations] trait Occasion

private[operations] object Occasion {
  case object Signature extends Occasion
  case object Init extends Occasion
  case object Restore extends Occasion
  case object Save extends Occasion

  /** TensorFlow's own loader may call the functions of the object graph. */
  case object Loader extends Occasion
}

/** Finds out when the nodes of a graph and of its functions run. Driver.
  *
  * A node of the graph runs on some occasions: when a signature runs, when the model is
  * initialised, when its checkpoint is restored or saved, or never. The nodes of a function run
  * when a node that may call the function runs. A call can also be a nested attribute, a gradient,
  * or a replacement: the optimizer may replace a function by another implementation of it.
  *
  * A model may be written to slow down its readers: time and memory grow with the size of the
  * graph.
  */
final private[operations] class Calls(graph: MetaGraphDef) {
  import Calls._
  import Occasion._

  private val library = graph.getGraphDef.getLibrary.getFunctionList.asScala.toSeq

  /** Function by name. */
  val functions: Map[String, FunctionDef] =
    library.map(one => one.getSignature.getName -> one).toMap
  if (functions.size < library.size || functions.contains(Graph)) throw ambiguous("functions")

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
  if (nodes.values.map(_.size).sum < all.size) throw ambiguous("nodes")

  private val alike = alikeIn(graph)

  /** The representative of all functions that may run in place of this one. */
  private def same(function: String): String = alike.getOrElse(function, function)

  private val calls: Seq[(String, Placed)] = all.flatMap { one =>
    Calls.called(one.node).filter(functions.contains).map(same).distinct.map(_ -> one)
  }

  private val callersOf: Map[String, Seq[Placed]] = calls.groupMap(_._1)(_._2)
  private val calledByNode: Map[String, Seq[String]] =
    calls.collect { case (name, one) if one.scope == Graph => one.node.getName -> name }
      .groupMap(_._1)(_._2).withDefaultValue(Nil)
  private val calledByFunction: Map[String, Seq[String]] =
    calls.collect { case (name, one) if one.scope != Graph => same(one.scope) -> name }.distinct
      .groupMap(_._1)(_._2).withDefaultValue(Nil)

  private val objects = loaded(graph)

  private val run: Map[Occasion, Set[String]] = Map(
    Signature -> outputsOf(graph),
    Init -> initialised(graph),
    Restore -> Seq(graph.getSaverDef.getRestoreOpName),
    Save -> Seq(graph.getSaverDef.getSaveTensorName)
  ).view.mapValues(names => reached(names.map(nodeOf).toList, Set.empty)).toMap

  private val functionsRun: Map[Occasion, Set[String]] =
    run.view.mapValues(some => below(some.toList.flatMap(calledByNode), Set.empty)).toMap +
      (Loader -> below(objects.filter(functions.contains).map(same).toList, Set.empty))

  /** When a node runs; empty when nothing is known to run it. */
  def occasions(one: Placed): Set[Occasion] =
    if (one.scope == Graph)
      run.collect { case (occasion, some) if some(one.node.getName) => occasion }.toSet
    else functionsRun.collect { case (occasion, some) if some(same(one.scope)) => occasion }.toSet

  /** Each call that may run a function. */
  def callers(function: String): Seq[Placed] = callersOf.getOrElse(same(function), Nil)

  /** Whether TensorFlow's own loader may call a function. */
  def isInObjectGraph(function: String): Boolean = objects(function)

  @tailrec
  private def reached(waiting: List[String], found: Set[String]): Set[String] = waiting match {
    case Nil => found
    case name :: rest =>
      nodes(Graph).get(name).filterNot(_ => found(name)) match {
        case Some(node) => reached(inputs(node).map(nodeOf) ++: rest, found + name)
        case None => reached(rest, found)
      }
  }

  @tailrec
  private def below(waiting: List[String], found: Set[String]): Set[String] = waiting match {
    case Nil => found
    case name :: rest if !found(name) =>
      below(calledByFunction(name) ++: rest, found + name)
    case _ :: rest => below(rest, found)
  }
}

private[operations] object Calls {

  /** The scope of the graph itself. */
  val Graph: String = ""

  private val initSignature = "__saved_model_init_op"

  /** A loader runs the init op once. If there is none, TensorFlow's Python loader runs the
    * initializers of tables and of local variables, which these collections list.
    */
  private val initCollections =
    Seq("saved_model_main_op", "legacy_init_op", "table_initializer", "local_variables")
  private val implements_ = "api_implements"

  private val mostLevels = 100

  /** The name of the node that makes a tensor, or gives a control input. */
  def nodeOf(tensor: String): String = tensor.stripPrefix("^").takeWhile(_ != ':')

  /** The inputs of a node. */
  def inputs(node: NodeDef): Seq[String] = node.getInputList.asScala.toSeq

  /** The functions that a node may call. */
  def called(node: NodeDef): Seq[String] =
    node.getOp +: values(node.getAttrMap.values.asScala.toSeq, 0).flatMap(functionsIn)
      .map(_.getName)

  /** The texts in a node, each of which may be a graph. */
  def texts(node: NodeDef): Seq[ByteString] =
    values(node.getAttrMap.values.asScala.toSeq, 0).flatMap { value =>
      value.getValueCase match {
        case AttrValue.ValueCase.S => Seq(value.getS)
        case AttrValue.ValueCase.LIST =>
          value.getList.getSList.asScala.toSeq ++
            value.getList.getTensorList.asScala.flatMap(_.getStringValList.asScala)
        case AttrValue.ValueCase.TENSOR => value.getTensor.getStringValList.asScala.toSeq
        case _ => Nil
      }
    }

  /** Attributes with those nested in functions. */
  private def values(attributes: Seq[AttrValue], level: Int): Seq[AttrValue] =
    attributes ++ (
      if (level == mostLevels) Nil
      else attributes.flatMap(functionsIn).flatMap(one =>
        values(one.getAttrMap.values.asScala.toSeq, level + 1)
      )
    )

  private def functionsIn(value: AttrValue): Seq[NameAttrList] =
    if (value.hasFunc) Seq(value.getFunc)
    else if (value.hasList) value.getList.getFuncList.asScala.toSeq
    else Nil

  /** Function → representative of its implementations and gradients. Functions that may run in
    * place of each other count as one function: a call of one is a call of all.
    */
  private def alikeIn(graph: MetaGraphDef): Map[String, String] = {
    val library = graph.getGraphDef.getLibrary
    val above = mutable.HashMap.empty[String, String]
    @tailrec
    def top(name: String): String = {
      val other = above.getOrElseUpdate(name, name)
      if (other == name) name
      else {
        above(name) = above(other)
        top(above(name))
      }
    }
    val first = mutable.HashMap.empty[ByteString, String]
    for {
      one <- library.getFunctionList.asScala
      key <- Option(one.getAttrMap.get(implements_))
      name = one.getSignature.getName
    } above(top(name)) = top(first.getOrElseUpdate(key.getS, name))
    library.getGradientList.asScala.foreach(one =>
      above(top(one.getGradientFunc)) = top(one.getFunctionName)
    )
    above.keys.toSeq.map(name => name -> top(name)).toMap
  }

  /** The functions that TensorFlow's own loader may call. */
  private def loaded(graph: MetaGraphDef): Set[String] = {
    val objects = graph.getObjectGraphDef
    objects.getConcreteFunctionsMap.keySet.asScala.toSet ++
      objects.getNodesList.asScala.flatMap { one =>
        one.getFunction.getConcreteFunctionsList.asScala :+
          one.getBareConcreteFunction.getConcreteFunctionName
      }
  }

  private def outputsOf(graph: MetaGraphDef): Seq[String] =
    graph.getSignatureDefMap.asScala.toSeq.filter(_._1 != initSignature)
      .flatMap(_._2.getOutputsMap.values.asScala).flatMap(tensors(_, 0))

  /** The tensors of an output; a sparse or ragged output has several. */
  private def tensors(info: TensorInfo, level: Int): Seq[String] = {
    val sparse = info.getCooSparse
    val parts = if (level < mostLevels) info.getCompositeTensor.getComponentsList.asScala else Nil
    Seq(
      info.getName,
      sparse.getValuesTensorName,
      sparse.getIndicesTensorName,
      sparse.getDenseShapeTensorName
    ) ++ parts.flatMap(tensors(_, level + 1))
  }

  /** The nodes that any loader may run once. */
  private def initialised(graph: MetaGraphDef): Seq[String] = {
    val signature = Option(graph.getSignatureDefMap.get(initSignature)).toSeq
      .flatMap(_.getOutputsMap.values.asScala).flatMap(tensors(_, 0))
    signature ++ initCollections.flatMap(name => Option(graph.getCollectionDefMap.get(name)))
      .flatMap { one =>
        one.getNodeList.getValueList.asScala ++
          one.getBytesList.getValueList.asScala.flatMap(initializer)
      }
  }

  /** The operation that initialises a variable of a collection. */
  private def initializer(variable: ByteString): Option[String] =
    Try(VariableDef.parseFrom(variable).getInitializerName).toOption

  private def ambiguous(what: String): InvalidModelException =
    new InvalidModelException(
      Explain(
        s"The graph of the model has $what without a name, or several of one name.",
        hint = "export the model again."
      )
    )
}
