package io.tfspark.model

import java.nio.file.{Files, Path}

import scala.jdk.CollectionConverters._
import scala.util.Using

import io.tfspark.error._
import org.tensorflow.proto.MetaGraphDef

/** Checks that the files of a model exist: its variables and assets. Driver. */
private[model] object MissingFiles {

  private val shard = """variables\.data-([0-9]{5})-of-([0-9]{5})""".r

  /** Most missing files that a message names. */
  private val mostNames = 10
  private val variableOps = Set("VarHandleOp", "VariableV2", "Variable")

  /** Refuse a model with missing variables or assets, because TensorFlow's native loader crashes on
    * them.
    */
  def check(dir: Path, graph: MetaGraphDef): Unit = {
    val assets = Assets.of(graph).map(asset => s"assets/${asset.getFilename}")
    // TensorFlow does not check these names; `../…` would lead out of the model.
    val walk = new ModelWalk(dir.toString)
    assets.foreach(walk.meet)
    // TensorFlow's Python API restores a checkpoint even if the graph reads no variable.
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
          expected = Explain.listing(missing.take(mostNames)) +
            (if (missing.sizeIs > mostNames) ", …" else ""),
          hint = "copy the whole export dir, with variables/ and assets/."
        )
      )
    }
  }

  private def missingVariables(folder: Path): Seq[String] = {
    val names =
      if (!Files.isDirectory(folder)) Set.empty[String]
      else Using.resource(Files.list(folder))(_.iterator.asScala.map(_.getFileName.toString).toSet)
    if (names("variables") && !names("variables.index")) Nil // a checkpoint of 2016 is one file
    else {
      val index = if (names("variables.index")) Nil else Seq("variables/variables.index")
      val found = names.toSeq.collect {
        case shard(number, total) if number.toInt < total.toInt => total.toInt
      }
      val present = found.groupMapReduce(identity)(_ => 1)(_ + _)
      // Shards of another checkpoint may lie beside the complete one; the set with the fewest gaps
      // is used.
      val total = if (present.isEmpty) 1 else present.keys.minBy(one => (one - present(one), one))
      index ++ missingShards(names, total)
    }
  }

  private def missingShards(names: Set[String], total: Int): Seq[String] =
    (0 until total).map(shard => f"variables.data-$shard%05d-of-$total%05d").filterNot(
      names
    ).map("variables/" + _)
}
