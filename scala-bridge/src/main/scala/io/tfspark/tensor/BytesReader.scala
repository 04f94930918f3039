package io.tfspark.tensor

import java.nio.charset.StandardCharsets.ISO_8859_1

import org.apache.spark.sql.catalyst.expressions.SpecializedGetters
import org.apache.spark.unsafe.Platform

/** Reads a column of bytes as unsigned numbers, such as the pixels of a picture. Executor, one
  * thread.
  */
final private[tensor] class BytesReader(place: ColumnPlace, into: FixedElements)
    extends ColumnReader {
  private var bytes: Array[Byte] = _

  val depth: Int = 1

  def load(row: SpecializedGetters): Boolean =
    !row.isNullAt(place.ordinal) && {
      bytes = row.getBinary(place.ordinal)
      true
    }

  def length: Int = bytes.length

  def shape: Seq[Int] = Seq(length)

  def write(row: SpecializedGetters): Unit =
    into.putAll(bytes, Platform.BYTE_ARRAY_OFFSET.toLong, bytes.length)

  override def hint: String =
    if (BytesReader.encoded.exists(start => bytes.startsWith(start)))
      "the bytes are an encoded image; export a signature that takes strings and decodes them " +
        "in the graph with tf.io.decode_image."
    else ""
}

private object BytesReader {

  /** The first bytes of JPEG, PNG and GIF. */
  val encoded: Seq[Array[Byte]] =
    Seq("\u00ff\u00d8\u00ff", "\u0089PNG", "GIF8").map(_.getBytes(ISO_8859_1))
}
