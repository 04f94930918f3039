package io.tfspark.model

import scala.jdk.CollectionConverters._

import org.tensorflow.proto.{AttrValue, DataType, NodeDef, TensorProto}

/** The inputs of one node, as the rule of its shape sees them. Driver. */
final private[model] class Operands(shapes: GraphShapes, end: GraphShapes.End, steps: Int) {

  /** The node itself. */
  def node: NodeDef = end.node

  def attribute(name: String): AttrValue = GraphShapes.attribute(node, name)

  /** Whether the graph is of a time when an empty shape meant an unknown one. */
  def isLegacy: Boolean = shapes.isLegacy

  /** The shape of an input; nothing when its rank is unknown. */
  def shape(index: Int): Option[Shape] = end.input(index).flatMap(shapes.shape(_, steps))

  /** The integers of an input, nothing for each that only a run can tell. */
  def values(index: Int): Option[Seq[Option[Long]]] =
    origin(index).filter(_ => steps < GraphShapes.MostSteps).flatMap { found =>
      found.node.getOp match {
        case "Pack" => // of single sizes, as a shape or list of axes is
          val inside = new Operands(shapes, found, steps + 1)
          val count = inside.attribute("N").getI.toInt
          val parts = (0 until count).map(inside.values(_).filter(_.nonEmpty).getOrElse(Seq(None)))
          Option.when(parts.forall(_.size == 1))(parts.flatten)
        case "Const" =>
          Operands.integers(GraphShapes.attribute(found.node, "value").getTensor)
            .map(_.map(Option(_)))
        case _ => None
      }
    }

  /** The shape of the variable whose handle an input is. */
  def variable(index: Int): Option[Shape] =
    origin(index).map(_.node).filter(_.getOp == "VarHandleOp").flatMap(node =>
      TensorSpec.shapeOf(GraphShapes.attribute(node, "shape").getShape)
    )

  /** The operation that an input comes from. */
  def op(index: Int): String = origin(index).fold("")(_.node.getOp)

  private def origin(index: Int): Option[GraphShapes.End] =
    end.input(index).flatMap(shapes.origin(_))
}

private object Operands {

  /** The integers of a constant of rank 0 or 1; the last may stand for all that follow. */
  def integers(tensor: TensorProto): Option[Seq[Long]] =
    TensorSpec.shapeOf(
      tensor.getTensorShape
    ).filter(_.size <= 1).map(_.flatten.headOption).flatMap {
      size =>
        val count = size.getOrElse(1L).toInt
        val bytes =
          tensor.getTensorContent.asReadOnlyByteBuffer.order(java.nio.ByteOrder.LITTLE_ENDIAN)
        val isPacked = !tensor.getTensorContent.isEmpty
        val found = tensor.getDtype match {
          case DataType.DT_INT32 if isPacked => Some((0 until count).map(_ => bytes.getInt.toLong))
          case DataType.DT_INT64 if isPacked => Some((0 until count).map(_ => bytes.getLong))
          case DataType.DT_INT32 => Some(tensor.getIntValList.asScala.toSeq.map(_.toLong))
          case DataType.DT_INT64 => Some(tensor.getInt64ValList.asScala.toSeq.map(_.toLong))
          case _ => None
        }
        found.map(some => some.padTo(count, some.lastOption.getOrElse(0L)))
    }
}
