package io.tfspark.operations

import scala.jdk.CollectionConverters._

import io.tfspark.operations.KnownOperations.isRandom
import org.tensorflow.proto.MetaGraphDef

/** Finds out whether a signature of a model draws random numbers, as Python's
  * `tfspark.operations.randomness`. Driver.
  */
object Randomness {

  /** The random operations that run when a signature runs, sorted, each once. */
  def operations(graph: MetaGraphDef): Seq[String] = {
    val library = graph.getGraphDef.getLibrary.getFunctionList.asScala
    val nodes = graph.getGraphDef.getNodeList.asScala ++ library.flatMap(_.getNodeDefList.asScala)
    if (!nodes.exists(node => isRandom(node.getOp))) Nil
    else {
      val calls = new Calls(graph)
      calls.all
        .filter(one => isRandom(one.node.getOp) && calls.occasions(one)(Occasion.Signature))
        .map(_.node.getOp).distinct.sorted
    }
  }
}
