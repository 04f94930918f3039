package io.tfspark.model

import java.nio.ByteOrder

import org.tensorflow.proto.{AttrValue, DataType, NodeDef, TensorProto}

/** The inputs of one node, as the shape rules read them. Driver. */
final private[model] class Operands(shapes: GraphShapes, end: GraphScopes.End, steps: Int) {

  /** The node itself. */
  def node: NodeDef = end.node

  def attribute(name: String): AttrValue = GraphScopes.attribute(node, name)

  /** Whether the graph is so old that an empty shape means an unknown shape. */
  def isLegacy: Boolean = shapes.isLegacy

  /** The shape of an input; none when its rank is unknown. */
  def shape(index: Int): Option[Shape] = end.input(index).flatMap(shapes.shape(_, steps))

  /** The integers of an input; none for each value that is known only at run time. */
  def values(index: Int): Option[Seq[Option[Long]]] =
    origin(index).filter(_ => steps < GraphScopes.MostSteps).flatMap { found =>
      found.node.getOp match {
        case "Pack" => // single sizes, packed into a shape or a list of axes
          val inside = new Operands(shapes, found, steps + 1)
          val count = inside.attribute("N").getI
          Option.when(count <= math.min(found.node.getInputCount, TensorSpec.MostDimensions)) {
            (0 until count.toInt).map(inside.values(_).filter(_.nonEmpty).getOrElse(Seq(None)))
          }.filter(_.forall(_.size == 1)).map(_.flatten)
        case "Const" =>
          Operands.integers(GraphScopes.attribute(found.node, "value").getTensor)
            .map(_.map(Option(_)))
        case _ => None
      }
    }

  /** The shape of the variable to which an input is the handle. */
  def variable(index: Int): Option[Shape] =
    origin(index).map(_.node).filter(_.getOp == "VarHandleOp").flatMap(node =>
      TensorSpec.shapeOf(GraphScopes.attribute(node, "shape").getShape)
    )

  /** The operation that an input comes from. */
  def op(index: Int): String = origin(index).fold("")(_.node.getOp)

  private def origin(index: Int): Option[GraphScopes.End] =
    end.input(index).flatMap(shapes.scopes.origin(_))
}

private object Operands {

  /** The integers of a constant of rank 0 or 1; the last value may be repeated. */
  def integers(tensor: TensorProto): Option[Seq[Long]] =
    for {
      shape <- TensorSpec.shapeOf(tensor.getTensorShape) if shape.sizeIs <= 1
      size <- if (shape.isEmpty) Some(1L) else shape.head if size <= TensorSpec.MostDimensions
      found <- values(tensor, size.toInt)
    } yield found.padTo(size.toInt, found.lastOption.getOrElse(0L))

  private def values(tensor: TensorProto, count: Int): Option[Seq[Long]] = {
    val packed = tensor.getTensorContent
    val bytes = packed.asReadOnlyByteBuffer.order(ByteOrder.LITTLE_ENDIAN)
    def unpacked(width: Int)(next: => Long): Option[Seq[Long]] =
      Option.when(packed.size.toLong == count.toLong * width)(Seq.fill(count)(next))
    tensor.getDtype match {
      case DataType.DT_INT32 if !packed.isEmpty => unpacked(4)(bytes.getInt.toLong)
      case DataType.DT_INT64 if !packed.isEmpty => unpacked(8)(bytes.getLong)
      case DataType.DT_INT32 | DataType.DT_INT64 if tensor.getIntValCount > 0 =>
        Some((0 until math.min(count, tensor.getIntValCount)).map(tensor.getIntVal(_).toLong))
      case DataType.DT_INT32 | DataType.DT_INT64 =>
        Some((0 until math.min(count, tensor.getInt64ValCount)).map(tensor.getInt64Val))
      case _ => None
    }
  }
}
