package io.tfspark.model

import scala.jdk.CollectionConverters._

import io.tfspark.error.ForeignText
import org.tensorflow.proto.{SignatureDef, TensorInfo}

/** A named function of a SavedModel with its inputs and outputs. Driver and executor; serialisable.
  *
  * Inputs and outputs are sorted by name, which is the documented order of arguments in a SQL call
  * (the map in the file has no order).
  */
final case class Signature(name: String, inputs: Seq[TensorSpec], outputs: Seq[TensorSpec]) {

  /** Whether all inputs are scalars, so that the model runs once for each row. */
  def isRowByRow: Boolean = inputs.nonEmpty && inputs.forall(!_.isBatched)

  /** The signature with one more first dimension, the rows, in every tensor. It describes the
    * columns of a model that runs once for each row.
    */
  def byRows: Signature = copy(inputs = inputs.map(_.byRows), outputs = outputs.map(_.byRows))

  /** A readable description: every input and output with type, shape and Spark type. */
  def describe: String = {
    val sides = Seq("inputs" -> inputs, "outputs" -> outputs).flatMap { case (title, specs) =>
      val lines = specs.map { spec =>
        s"    $spec, in Spark ${(if (isRowByRow) spec.byRows else spec).sql}"
      }
      s"  $title:" +: (if (lines.isEmpty) Seq("    none") else lines)
    }
    (ForeignText.oneLine(s"signature '$name'") +: sides).mkString("\n")
  }
}

object Signature {

  /** The name of the default signature. */
  val Default: String = "serving_default"

  private[model] def of(name: String, proto: SignatureDef): Signature =
    Signature(name, specs(proto.getInputsMap.asScala), specs(proto.getOutputsMap.asScala))

  private def specs(infos: Iterable[(String, TensorInfo)]): Seq[TensorSpec] =
    infos.toSeq.sortBy(_._1).map { case (name, info) => TensorSpec.of(name, info) }
}
