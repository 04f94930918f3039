package io.tfspark.sql

import java.nio.file.Paths

import scala.collection.mutable

import io.tfspark.engine._
import org.apache.hadoop.conf.Configuration
import org.apache.spark.SparkContext

/** Decides how a model reaches the executors. Driver.
  *
  * A model on one of Hadoop's file systems is copied once by each node. A model on the driver's own
  * disk is read there if all executors run on this machine; otherwise it is broadcast, once per
  * application and model.
  */
object ModelDistribution {
  private val kept = 8
  private val broadcasts = mutable.LinkedHashMap.empty[(String, String), PackedModel]

  /** Where executors find a model. */
  def source(context: SparkContext, located: LocatedModel, conf: Configuration): ModelSource =
    located.remote match {
      case Some(uri) => ModelSource.Remote(uri, RemoteFiles(conf))
      case None =>
        val isBroadcast = BridgeConf.distribute match {
          case "auto" => !context.isLocal
          case how => how == "broadcast"
        }
        if (isBroadcast) ModelSource.Packed(broadcast(context, located))
        else ModelSource.Shared(located.model.path)
    }

  private def broadcast(context: SparkContext, located: LocatedModel): PackedModel =
    synchronized {
      // The broadcasts of an ended application no longer exist.
      broadcasts.filterInPlace((key, _) => key._1 == context.applicationId)
      val key = (context.applicationId, located.model.digest)
      val found = broadcasts
        .remove(key)
        .getOrElse(PackedModel.of(Paths.get(located.model.path), context))
      broadcasts += key -> found
      // A running query fetches the blocks of an unpersisted broadcast from its executors or the
      // driver again.
      if (broadcasts.size > kept) broadcasts.remove(broadcasts.head._1).foreach(_.unpersist())
      found
    }
}
