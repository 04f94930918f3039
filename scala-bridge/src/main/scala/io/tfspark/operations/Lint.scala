package io.tfspark.operations

import scala.jdk.CollectionConverters._
import scala.util.Try
import scala.util.matching.Regex

import com.google.protobuf.ByteString
import io.tfspark.operations.FileNames._
import io.tfspark.operations.KnownOperations.{touches, Unknown}
import org.tensorflow.proto._

/** Finds the operations of a model that touch more than tensors. Driver; nothing is run.
  *
  * The rules are those of Python's `tfspark.operations.lint`. All nodes are checked, including
  * nodes of functions and of graphs inside constants, even when nothing runs them. These need no
  * permission:
  *   - operations that restore the checkpoint, if they can open only the model's own checkpoint;
  *   - operations that save the checkpoint, if nothing runs them;
  *   - tables that are initialised from an asset of the export dir.
  */
object Lint {

  /** Operation → position of the input that names the file. */
  private val restores = Map("RestoreV2" -> 0, "Restore" -> 0, "RestoreSlice" -> 0)
  private val tables =
    Map("InitializeTableFromTextFile" -> 1, "InitializeTableFromTextFileV2" -> 1)
  private val saves = Set("SaveV2", "Save", "SaveSlices", "MergeV2Checkpoints")

  /** Operation → attribute that can name a file, and its harmless values. */
  private val harmless: Map[String, (String, Regex)] = Map(
    "PrintV2" -> ("output_stream" -> """|stdout|stderr|log\((info|warning|error)\)""".r),
    "DecodeProtoV2" -> ("descriptor_source" -> "(?s)|local://|bytes://.*".r),
    "EncodeProto" -> ("descriptor_source" -> "(?s)|local://|bytes://.*".r),
    "FixedUnigramCandidateSampler" -> ("vocab_file" -> "".r)
  )

  /** Operations that make a tensor from bytes. A resource made this way can be another node's
    * variable.
    */
  private val fromBytes =
    Set("Const", "HostConst", "ParseTensor", "DeserializeSparse", "DeserializeManySparse")

  private val opName = "[A-Z_][A-Za-z0-9_>]*".r
  private val deepest = 4

  /** The operations that touch more than tensors and need permission. */
  def findings(graph: MetaGraphDef): Seq[Finding] = {
    val calls = new Calls(graph)
    val names = new FileNames(graph, calls)
    val found = for {
      one <- calls.all
      what <- touched(one.node) if !isOwn(one, calls, names)
    } yield Finding(one.node.getOp, what, one.node.getName, one.scope)
    found ++ calls.all.flatMap(one => inConstants(one.node, one.node, deepest))
  }

  /** What a node touches, as its operation or its attributes say. */
  private def touched(node: NodeDef): Option[String] = {
    def attribute(name: String): ByteString =
      node.getAttrOrDefault(name, AttrValue.getDefaultInstance).getS
    val op = node.getOp
    val opensFile = harmless.get(op).exists { case (name, pattern) =>
      !pattern.matches(attribute(name).toStringUtf8)
    }
    val isResource = fromBytes(op) &&
      node.getAttrMap.values.asScala.exists(_.getType == DataType.DT_RESOURCE)
    if (opensFile) Some("files")
    else if (op == "XlaCallModule" && holds(attribute("module"), "custom_call"))
      Some("code outside the graph")
    else if (isResource) Some("resources of other nodes")
    else touches(op)
  }

  private def holds(bytes: ByteString, word: String): Boolean =
    bytes.toString("ISO-8859-1").contains(word)

  /** Whether a node needs no permission: it opens only the model's own checkpoint or assets. */
  private def isOwn(one: Placed, calls: Calls, names: FileNames): Boolean = {
    val op = one.node.getOp
    lazy val top = calls.topNodes(one)
    def isFed(kind: Kind, at: Int, running: Set[String]): Boolean =
      // The loader feeds the names of files only while it restores and initialises.
      !top.flatten.exists(running) && at < one.node.getInputCount &&
        names.kinds(one.scope, one.node.getInput(at)).subsetOf(Set(kind))
    if (saves(op)) {
      val running = calls.signature ++ calls.init ++ calls.restore
      !top.exists(_.forall(running))
    } else if (restores.contains(op))
      isFed(Checkpoint, restores(op), calls.signature ++ calls.init)
    else if (tables.contains(op)) isFed(Asset, tables(op), calls.signature ++ calls.restore)
    else
      // A call of a function of the model, unless TensorFlow has an operation of the same name.
      calls.functions.contains(op) && touches(op).contains(Unknown)
  }

  /** The findings in graphs that a node holds as bytes; `outer` is the node of the model. */
  private def inConstants(node: NodeDef, outer: NodeDef, depth: Int): Seq[Finding] =
    Calls.texts(node).flatMap(graphIn).flatMap { graph =>
      val library = graph.getLibrary.getFunctionList.asScala.toSeq
      val own = library.map(_.getSignature.getName).toSet
      val inner = graph.getNodeList.asScala.toSeq ++ library.flatMap(_.getNodeDefList.asScala)
      inner.flatMap { one =>
        val found = touched(one).filterNot(_ == Unknown && own(one.getOp))
          .map(Finding(one.getOp, _, one.getName, s"a graph inside ${outer.getName}"))
        found.toSeq ++ (if (depth > 0) inConstants(one, outer, depth - 1) else Nil)
      }
    }

  /** The graph that a text contains; nothing when it is not a graph. */
  private def graphIn(text: ByteString): Option[GraphDef] =
    Try(GraphDef.parseFrom(text)).toOption.filter { graph =>
      val nodes = graph.getNodeList.asScala
      nodes.nonEmpty && nodes.forall(one => one.getName.nonEmpty && opName.matches(one.getOp))
    }
}
