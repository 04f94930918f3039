package io.tfspark.operations

import java.nio.charset.StandardCharsets.ISO_8859_1
import java.util.regex.Pattern

import scala.jdk.CollectionConverters._
import scala.util.Try

import com.google.protobuf.ByteString
import io.tfspark.operations.FileNames._
import io.tfspark.operations.KnownOperations.{touches, Unknown}
import io.tfspark.operations.Occasion._
import org.tensorflow.proto._

/** Finds the operations of a model that access more than tensors. Driver; nothing is run.
  *
  * The rules are those of Python's `tfspark.operations.lint`. All nodes are checked, including
  * nodes of functions and of graphs inside constants, even if nothing runs them. These need no
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

  /** Operation → attribute that can name a file or hold code, its harmless values, and the resource
    * that other values access.
    */
  private val judgedAttributes: Map[String, (String, Pattern, String)] = {
    def judged(name: String, pattern: String, what: String) =
      (name, Pattern.compile(pattern, Pattern.DOTALL), what)
    val descriptors = judged("descriptor_source", "|local://|bytes://.*", "files")
    Map(
      "PrintV2" -> judged(
        "output_stream",
        "|stdout|stderr|log\\((info|warning|error)\\)",
        "files"
      ),
      "DecodeProtoV2" -> descriptors,
      "EncodeProto" -> descriptors,
      "FixedUnigramCandidateSampler" -> judged("vocab_file", "", "files"),
      // MLIR in binary form, in which names stand as they are.
      "XlaCallModule" -> judged(
        "module",
        "ML\u00efR(?!.*custom_call).*",
        "code outside the graph"
      )
    )
  }

  /** Operations that make a tensor from bytes. A resource made this way can be another node's
    * variable, and a variant can hold resources.
    */
  private val fromBytes =
    Set("Const", "HostConst", "ParseTensor", "DeserializeSparse", "DeserializeManySparse")
  private val resources = Set(DataType.DT_RESOURCE_VALUE, DataType.DT_VARIANT_VALUE)

  private val opName = "[A-Z_][A-Za-z0-9_>]*".r

  /** A node of `ReadFile`, whose name has one letter. */
  private val shortestGraph = 15
  private val deepest = 4
  private val tooDeep = "graphs inside graphs, too deep to be checked"

  /** The operations that access more than tensors and need permission. */
  def findings(graph: MetaGraphDef): Seq[Finding] = {
    val calls = new Calls(graph)
    val names = new FileNames(graph, calls)
    val found = for {
      one <- calls.all
      what <- touched(one.node) if !isOwn(one, calls, names)
    } yield Finding(one.node.getOp, what, one.node.getName, one.scope)
    found ++ calls.all.flatMap(one =>
      inConstants(one.node, s"a graph inside ${one.node.getName}", deepest)
    )
  }

  /** The resource that a node accesses, according to its operation or its attributes. */
  private def touched(node: NodeDef): Option[String] = {
    val op = node.getOp
    val judged = judgedAttributes.get(op).filterNot { case (name, pattern, _) =>
      isLiteral(node.getAttrOrDefault(name, AttrValue.getDefaultInstance), pattern)
    }
    if (judged.isDefined) judged.map(_._3)
    else if (fromBytes(op) && node.getAttrMap.values.asScala.exists(mayBeResource))
      Some("resources of other nodes")
    else touches(op)
  }

  /** Whether an attribute is a text that matches the pattern, and not a value that the caller
    * gives.
    */
  private def isLiteral(value: AttrValue, pattern: Pattern): Boolean = value.getValueCase match {
    case AttrValue.ValueCase.S | AttrValue.ValueCase.VALUE_NOT_SET =>
      pattern.matcher(value.getS.toString(ISO_8859_1)).matches
    case _ => false
  }

  private def mayBeResource(value: AttrValue): Boolean =
    value.getValueCase == AttrValue.ValueCase.PLACEHOLDER || resources(value.getTypeValue) ||
      value.getList.getTypeValueList.asScala.exists(one => resources(one.intValue))

  /** Whether a node opens only the checkpoint and the assets of its own SavedModel. */
  private def isOwn(one: Placed, calls: Calls, names: FileNames): Boolean = {
    val op = one.node.getOp
    val occasions = calls.occasions(one)
    // Part of a saver that remains from training.
    val isDead = one.scope == Calls.Graph && occasions.isEmpty
    def isFed(kind: Kind, at: Int, elsewhere: Set[Occasion]): Boolean =
      // The loader feeds the names of files only while it restores and initialises.
      isDead || !occasions.exists(elsewhere) && at < one.node.getInputCount &&
        names.kinds(one.scope, one.node.getInput(at)) == Set(kind)
    if (saves(op)) isDead || occasions == Set[Occasion](Save)
    else if (restores.contains(op))
      !one.node.getAttrMap.values.asScala.exists(mayBeResource) &&
      isFed(Checkpoint, restores(op), Set(Signature, Init, Loader))
    else if (tables.contains(op)) isFed(Asset, tables(op), Set(Signature, Restore))
    else
      // A function of the model does not hide an operation of TensorFlow with the same name.
      calls.functions.contains(op) && touches(op).contains(Unknown)
  }

  /** The findings in graphs that a node holds as bytes; `where` names the node of the model. */
  private def inConstants(node: NodeDef, where: String, depth: Int): Seq[Finding] =
    Calls.texts(node).flatMap(graphIn).flatMap { graph =>
      val library = graph.getLibrary.getFunctionList.asScala.toSeq
      val own = library.map(_.getSignature.getName).toSet
      val inner = graph.getNodeList.asScala.toSeq ++ library.flatMap(_.getNodeDefList.asScala)
      inner.flatMap { one =>
        val found = touched(one).filterNot(_ == Unknown && own(one.getOp))
          .map(Finding(one.getOp, _, one.getName, where))
        found.toSeq ++ (
          if (depth > 0) inConstants(one, where, depth - 1)
          else Calls.texts(one).flatMap(graphIn)
            .map(_ => Finding(one.getOp, tooDeep, one.getName, where))
        )
      }
    }

  /** The graph that a text contains; nothing when it is not a graph.
    *
    * The fields of a protocol buffer may stand in any order. But the number of the field with the
    * operation of a node is a byte 18, or is padded and ends with a byte 0.
    */
  private def graphIn(text: ByteString): Option[GraphDef] =
    if (text.size < shortestGraph || !text.asScala.exists(byte => byte == 18 || byte == 0)) None
    else Try(GraphDef.parseFrom(text)).toOption.filter { graph =>
      val nodes = graph.getNodeList.asScala
      val own = graph.getLibrary.getFunctionList.asScala.map(_.getSignature.getName).toSet
      (nodes.nonEmpty || own.nonEmpty) && nodes.forall(one =>
        one.getName.nonEmpty && (opName.matches(one.getOp) || own(one.getOp))
      )
    }
}
