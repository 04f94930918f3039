package io.tfspark.tensor

import io.tfspark.model.{DType, ReasonCode}
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters

/** Reads a column of Spark's images as (height, width, channels) in the order of TensorFlow: red,
  * green, blue, alpha. Executor, one thread.
  *
  * An image is a struct: origin, height, width, nChannels, mode, data. Spark keeps OpenCV's order:
  * blue, green, red, alpha.
  */
final private[tensor] class ImageReader(place: ColumnPlace, dtype: DType, into: FixedElements)
    extends StructReader(place, fields = 6, depth = 3) {
  private val put: Int => Unit = dtype.name match {
    case "uint8" => value => into.putByte(value.toByte)
    case "int8" => value => if (value < 128) into.putByte(value.toByte) else refuse(value)
    case "float32" => value => into.putFloat(value.toFloat)
    case "float64" => value => into.putDouble(value.toDouble)
    case "float16" => value => into.putShort(HalfFloat.toBits(value.toFloat))
    case "bfloat16" => value => into.putShort(BFloat16.toBits(value.toFloat))
    case _ if dtype.width == 2 => value => into.putShort(value.toShort)
    case _ if dtype.width == 4 => value => into.putInt(value)
    case _ => value => into.putLong(value.toLong)
  }

  def length: Int = number(1)

  def shape: Seq[Int] = {
    val found = (1 to 3).map(number)
    val bytes = if (struct.isNullAt(5)) 0 else struct.getBinary(5).length
    val isImage = found.forall(_ > 0) && ImageReader.channels(found.last) &&
      found.map(_.toLong).product == bytes
    if (!isImage) {
      val shown = s"(height, width, channels) (${found.mkString(", ")}) with $bytes bytes"
      throw new RowProblem(
        ReasonCode.NotAnImage,
        place.name,
        s"expected an image of 1, 3 or 4 channels, found $shown"
      )
    }
    found
  }

  /** A null counts as zero, so an image with a null in a field is not an image. */
  private def number(field: Int): Int = if (struct.isNullAt(field)) 0 else struct.getInt(field)

  def write(row: SpecializedGetters): Unit = {
    val data = struct.getBinary(5)
    val channels = struct.getInt(3)
    var pixel = 0
    while (pixel < data.length) {
      var channel = 0
      while (channel < channels) {
        put(data(pixel + ImageReader.place(channel, channels)) & 0xff)
        channel += 1
      }
      pixel += channels
    }
  }

  private def refuse(value: Int): Nothing =
    throw new RowProblem(
      ReasonCode.OutOfRange,
      place.name,
      s"$value does not fit ${dtype.name}"
    )
}

private object ImageReader {
  val channels: Set[Int] = Set(1, 3, 4)

  /** The position in OpenCV's order of a channel of TensorFlow's order. */
  def place(channel: Int, channels: Int): Int =
    if (channels >= 3 && channel < 3) 2 - channel else channel
}
