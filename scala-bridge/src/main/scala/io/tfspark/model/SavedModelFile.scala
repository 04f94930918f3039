package io.tfspark.model

import java.io.BufferedInputStream
import java.nio.file.{Files, Path}

import scala.jdk.CollectionConverters._
import scala.util.Using

import com.google.protobuf.InvalidProtocolBufferException
import io.tfspark.error._
import org.tensorflow.proto.{MetaGraphDef, SavedModel}

/** Reads `saved_model.pb` with protobuf alone, and looks for the files that it needs beside it.
  * Driver.
  */
private[model] object SavedModelFile {

  val Name: String = "saved_model.pb"

  private val shard = """variables\.data-\d{5}-of-(\d{5})""".r
  private val variableOps = Set("VarHandleOp", "VariableV2", "Variable")
  private val again = "export it again; a broken version is never passed over for an older one."

  /** The graph of a tag set. */
  def graph(dir: Path, tags: Seq[String]): MetaGraphDef = {
    val graphs = parse(dir).getMetaGraphsList.asScala.toSeq
    if (graphs.isEmpty) {
      val file = dir.resolve(Name)
      throw new InvalidModelException(
        Explain(s"$file holds no graph.", found = s"${Files.size(file)} bytes", hint = again)
      )
    }
    graphs.find(_.getMetaInfoDef.getTagsList.asScala.toSet == tags.toSet).getOrElse {
      throw new SignatureNotFoundException(
        Explain(
          s"The model at $dir has no graph with the tag set ${Explain.listing(tags)}.",
          found = graphs.map(one =>
            Explain.listing(one.getMetaInfoDef.getTagsList.asScala)
          ).mkString("; "),
          hint = "give one of these with tags=(…)."
        )
      )
    }
  }

  /** Refuse a model whose variables or assets are not all there; TensorFlow's native loader crashes
    * on them.
    */
  def checkComplete(dir: Path, graph: MetaGraphDef): Unit = {
    val assets =
      graph.getAssetFileDefList.asScala.toSeq.map(asset => s"assets/${asset.getFilename}")
    // TensorFlow's Python restores a checkpoint even where the graph has no variable to read.
    val hasCheckpoint =
      graph.hasSaverDef || graph.getGraphDef.getNodeList.asScala.exists(node =>
        variableOps(node.getOp)
      )
    val missing = assets.filterNot(asset => Files.isRegularFile(dir.resolve(asset))) ++
      (if (hasCheckpoint) missingVariables(dir.resolve("variables")) else Nil)
    if (missing.nonEmpty) {
      val count = if (missing.size == 1) "1 file is" else s"${missing.size} files are"
      throw new InvalidModelException(
        Explain(
          s"The model at $dir is incomplete: $count missing.",
          expected = Explain.listing(missing),
          hint = "copy the whole export dir, with variables/ and assets/."
        )
      )
    }
  }

  private def parse(dir: Path): SavedModel = {
    val file = dir.resolve(Name)
    if (!Files.isRegularFile(file))
      throw new InvalidModelException(Explain(
        s"$dir holds no $Name.",
        expected = file.toString,
        hint = again
      ))
    try Using.resource(new BufferedInputStream(Files.newInputStream(file)))(SavedModel.parseFrom(_))
    catch {
      case error: InvalidProtocolBufferException =>
        throw new InvalidModelException(
          Explain(
            s"$file is not a whole SavedModel.",
            expected = "a SavedModel protocol buffer",
            found = s"${Files.size(file)} bytes that do not parse; the file may be cut off",
            hint = again
          ),
          Some(error)
        )
    }
  }

  private def missingVariables(folder: Path): Seq[String] = {
    val names =
      if (!Files.isDirectory(folder)) Set.empty[String]
      else Using.resource(Files.list(folder))(_.iterator.asScala.map(_.getFileName.toString).toSet)
    val index = if (names("variables.index")) Nil else Seq("variables/variables.index")
    val totals = names.collect { case shard(total) => total.toInt }.toSeq.sorted
    // Shards of another checkpoint may lie beside the whole one; the fewest gaps are its own.
    val gaps = (if (totals.isEmpty) Seq(1) else totals).map(missingShards(names, _))
    index ++ gaps.minBy(_.size)
  }

  private def missingShards(names: Set[String], total: Int): Seq[String] =
    (0 until total).map(shard => f"variables.data-$shard%05d-of-$total%05d").filterNot(
      names
    ).map("variables/" + _)
}
