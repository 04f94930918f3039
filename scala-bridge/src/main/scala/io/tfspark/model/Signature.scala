package io.tfspark.model

import scala.jdk.CollectionConverters._

import org.tensorflow.proto.{SignatureDef, TensorInfo}

/** One input or output of a signature.
  *
  * @param name the key in the signature; what `feed` and `fetch` speak of
  * @param dtype TensorFlow's type name, such as `float32`
  * @param shape dimension 0 is the batch; `None` inside for an unknown dimension, `None` outside
  *   for an unknown rank
  * @param tensor the graph's own tensor name, such as `serving_default_inputs:0`; for the engine
  *   only
  */
final case class TensorSpec(
    name: String,
    dtype: String,
    shape: Option[Seq[Option[Long]]],
    tensor: String
) {

  /** Shape of one row: all dimensions but the batch. */
  def rowShape: Option[Seq[Option[Long]]] = shape.map(_.drop(1))

  /** Elements of one row, when all its dimensions are known. */
  def rowSize: Option[Long] = rowShape.filter(_.forall(_.isDefined)).map(_.flatten.product)

  /** The fixed number of rows of a batch, or nothing when it is free. */
  def batchDimension: Option[Long] = shape.flatMap(_.headOption).flatten

  /** Whether there is a dimension for the rows at all (a scalar tensor has none). */
  def isBatched: Boolean = shape.forall(_.nonEmpty)

  /** Levels of arrays of its column; a row shape of `()` or `(1,)` is a plain column. */
  def depth: Int = rowShape match {
    case None | Some(Seq(Some(1L))) => 0
    case Some(dimensions) => dimensions.size
  }

  /** The Spark type of its column, in words; `no column` for a type without one. */
  def sql: String = DType.of(dtype) match {
    case Some(row) if isBatched =>
      if (shape.isEmpty) s"${row.sqlName} or arrays of it" else DType.arraysOf(row.sqlName, depth)
    case _ => "no column"
  }

  override def toString: String = s"$name: $dtype ${shape.fold("unknown rank")(TensorSpec.format)}"
}

object TensorSpec {

  /** Write a shape as TensorFlow does: `(None, 2)`. */
  def format(shape: Seq[Option[Long]]): String = {
    val inside = shape.map(_.fold("None")(_.toString)).mkString(", ")
    if (shape.size == 1) s"($inside,)" else s"($inside)"
  }

  private[model] def of(name: String, info: TensorInfo): TensorSpec = {
    // Without a plain name the message's oneof holds coo_sparse or composite_tensor.
    val number = if (info.getName.nonEmpty) info.getDtypeValue else DType.Composite
    val dims = info.getTensorShape.getDimList.asScala.toSeq.map(dim =>
      Option.when(dim.getSize >= 0)(dim.getSize)
    )
    TensorSpec(
      name,
      DType.nameOf(number),
      Option.unless(info.getTensorShape.getUnknownRank)(dims),
      info.getName
    )
  }
}

/** A named function of a SavedModel: what it takes, what it gives. Driver and executor;
  * serialisable.
  *
  * Inputs and outputs are sorted by name, which is the documented order of arguments in a SQL call
  * (the map in the file has no order).
  */
final case class Signature(name: String, inputs: Seq[TensorSpec], outputs: Seq[TensorSpec]) {

  /** A page for a person: every input and output with type, shape and Spark type. */
  def describe: String = {
    val sides = Seq("inputs" -> inputs, "outputs" -> outputs).flatMap { case (title, specs) =>
      val lines = specs.map(spec => s"    $spec, in Spark ${spec.sql}")
      s"  $title:" +: (if (lines.isEmpty) Seq("    none") else lines)
    }
    (s"signature '$name'" +: sides).mkString("\n")
  }
}

object Signature {

  /** The signature that a model serves unless told otherwise. */
  val Default: String = "serving_default"

  private[model] def of(name: String, proto: SignatureDef): Signature =
    Signature(name, specs(proto.getInputsMap.asScala), specs(proto.getOutputsMap.asScala))

  private def specs(infos: Iterable[(String, TensorInfo)]): Seq[TensorSpec] =
    infos.toSeq.sortBy(_._1).map { case (name, info) => TensorSpec.of(name, info) }
}
