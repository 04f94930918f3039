package io.tfspark.model

import scala.jdk.CollectionConverters._

import com.google.protobuf.InvalidProtocolBufferException
import io.tfspark.error._
import org.tensorflow.proto.{AssetFileDef, MetaGraphDef}

/** The assets that a graph lists: files of the export dir that its operations read. Driver. */
private[tfspark] object Assets {
  private val collection = "saved_model_assets"

  /** The assets that TensorFlow's loaders feed. Old exports of TensorFlow 1 list them in a
    * collection. Loaders ignore the collection when the graph itself lists an asset.
    */
  def of(graph: MetaGraphDef): Seq[AssetFileDef] =
    try
      if (graph.getAssetFileDefCount > 0) graph.getAssetFileDefList.asScala.toSeq
      else Option(graph.getCollectionDefMap.get(collection)).toSeq
        .flatMap(_.getAnyList.getValueList.asScala)
        .map(one => AssetFileDef.parseFrom(one.getValue))
    catch {
      case error: InvalidProtocolBufferException => throw new InvalidModelException(
          Explain(
            s"The collection '$collection' of the model is broken.",
            found = error.toString,
            hint = "export the model again."
          ),
          Some(error)
        )
    }
}
