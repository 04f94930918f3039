package io.tfspark.model

import scala.jdk.CollectionConverters._

import io.tfspark.error.ForeignText
import org.tensorflow.proto.{TensorInfo, TensorShapeProto}

/** One input or output of a signature.
  *
  * @param name the key in the signature, as used in `feed` and `fetch`
  * @param dtype TensorFlow's type name, such as `float32`
  * @param shape dimension 0 is the batch; an element `None` is an unknown dimension, a shape of
  *   `None` an unknown rank
  * @param tensor the graph's own tensor name, such as `serving_default_inputs:0`; for the engine
  *   only
  */
final case class TensorSpec(
    name: String,
    dtype: String,
    shape: Option[Shape],
    tensor: String
) {

  /** Shape of one row: all dimensions but the batch. */
  def rowShape: Option[Shape] = shape.map(_.drop(1))

  /** Elements of one row, when all its dimensions are known. */
  def rowSize: Option[Long] = rowShape.filter(_.forall(_.isDefined)).map(_.flatten.product)

  /** The fixed number of rows of a batch; none when it is free. */
  def batchDimension: Option[Long] = shape.flatMap(_.headOption).flatten

  /** Whether the tensor has a dimension for the rows (a scalar has none). */
  def isBatched: Boolean = shape.forall(_.nonEmpty)

  /** The tensor with a free first dimension added; an unknown rank stays unknown. */
  def byRows: TensorSpec = copy(shape = shape.map(None +: _))

  /** Levels of arrays of its column; a row shape of `()` or `(1,)` is a plain column. */
  def depth: Int = rowShape match {
    case None | Some(Seq(Some(1L))) => 0
    case Some(dimensions) => dimensions.size
  }

  /** The name of its column's Spark type; `no column` for an unsupported type. */
  def sql: String = DType.of(dtype) match {
    case Some(row) if shape.isEmpty => s"${row.sqlName} or arrays of it"
    case Some(row) => DType.arraysOf(row.sqlName, depth)
    case None => "no column"
  }

  override def toString: String =
    s"${ForeignText.oneLine(name)}: $dtype ${shape.fold("unknown rank")(TensorSpec.format)}"
}

object TensorSpec {

  /** The most dimensions of a tensor in TensorFlow. */
  private[model] val MostDimensions: Int = 254

  /** Write a shape as TensorFlow does: `(None, 2)`. */
  def format(shape: Shape): String = {
    val inside = shape.map(_.fold("None")(_.toString)).mkString(", ")
    if (shape.size == 1) s"($inside,)" else s"($inside)"
  }

  private[model] def of(name: String, info: TensorInfo): TensorSpec = {
    // Without a plain name the message's oneof holds coo_sparse or composite_tensor.
    val number =
      if (info.getName.nonEmpty) info.getDtypeValue % DType.Reference else DType.Composite
    // An empty shape is a scalar; a missing shape is an unknown rank.
    val known = Option.when(info.hasTensorShape)(info.getTensorShape)
    // TensorFlow reads a name without an index as the first tensor of the operation.
    val isFull = info.getName.isEmpty || info.getName.contains(':')
    val tensor = if (isFull) info.getName else s"${info.getName}:0"
    TensorSpec(name, DType.nameOf(number), known.flatMap(shapeOf), tensor)
  }

  /** The sizes of a shape; none for an unknown rank. */
  private[model] def shapeOf(proto: TensorShapeProto): Option[Shape] =
    Option.unless(proto.getUnknownRank || proto.getDimCount > MostDimensions) {
      proto.getDimList.asScala.toSeq.map(dim => Option.when(dim.getSize >= 0)(dim.getSize))
    }
}
