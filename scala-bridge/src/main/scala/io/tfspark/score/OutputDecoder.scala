package io.tfspark.score

import java.math.BigInteger
import java.nio.ByteBuffer
import java.nio.charset.{CharacterCodingException, StandardCharsets}

import io.tfspark.engine.NativeTensor
import io.tfspark.error.Explain
import io.tfspark.model._
import io.tfspark.tensor._
import org.apache.spark.sql.execution.vectorized.WritableColumnVector
import org.apache.spark.sql.types.{Decimal, StringType}
import org.apache.spark.unsafe.Platform

/** Converts the tensor of one output to a column vector. Executor, one thread.
  *
  * Rows with strings that are not valid UTF-8 are refused; types that Spark lacks are widened
  * (uint8 → smallint, uint64 → decimal).
  *
  * @param binary how the caller asks for bytes instead of text
  */
final private[score] class OutputDecoder(output: OutputBinding, binary: String) {
  private val dtype = output.dtype
  private val isText = output.spec.dtype == "string" && DType.elementOf(output.sql)._1 == StringType
  private var bytes = new Array[Byte](0)

  /** Put the first rows of a tensor into the positions of a vector.
    *
    * @param rowShape the shape of one row
    * @param count rows to take; the tensor may hold more that only padded it
    * @param place the place in the vector of row number i
    * @param inOrder whether the places are consecutive numbers
    * @param refuse takes an element that cannot be decoded, and why; when it returns, the other
    *   rows are decoded, and the value of this row means nothing
    * @return the bytes of the elements in the vector
    */
  def decode(
      tensor: NativeTensor,
      rowShape: Seq[Long],
      count: Int,
      vector: WritableColumnVector,
      place: Int => Int,
      inOrder: Boolean
  )(refuse: (Int, RowProblem) => Unit): Long = {
    val shape = rowShape.map(_.toInt)
    if (output.spec.depth == 0) leaves(tensor, count, vector, place, inOrder, refuse)
    else {
      val first = lists(vector, count, shape.head, place)
      nested(tensor, vector.arrayData(), count * shape.head, shape.tail, first, refuse)
    }
  }

  /** Give each of some rows of a vector a list of one length; returns the position of their first
    * element.
    */
  private def lists(
      vector: WritableColumnVector,
      count: Int,
      length: Int,
      place: Int => Int
  ): Int = {
    val child = vector.arrayData()
    val first = child.getElementsAppended
    child.reserve(first + count * length)
    child.addElementsAppended(count * length)
    var row = 0
    while (row < count) {
      vector.putArray(place(row), first + row * length, length)
      row += 1
    }
    first
  }

  private def nested(
      tensor: NativeTensor,
      vector: WritableColumnVector,
      count: Int,
      shape: Seq[Int],
      start: Int,
      refuse: (Int, RowProblem) => Unit
  ): Long =
    if (shape.isEmpty) leaves(tensor, count, vector, start + _, inOrder = true, refuse)
    else {
      val first = lists(vector, count, shape.head, start + _)
      nested(tensor, vector.arrayData(), count * shape.head, shape.tail, first, refuse)
    }

  private def leaves(
      tensor: NativeTensor,
      count: Int,
      vector: WritableColumnVector,
      place: Int => Int,
      inOrder: Boolean,
      refuse: (Int, RowProblem) => Unit
  ): Long =
    if (dtype.width == 0) strings(tensor, count, vector, place, refuse)
    else {
      if (count > 0) numbers(tensor, count, vector, place, inOrder)
      count.toLong * dtype.sql.defaultSize
    }

  private def numbers(
      tensor: NativeTensor,
      count: Int,
      vector: WritableColumnVector,
      place: Int => Int,
      inOrder: Boolean
  ): Unit = {
    val length = Math.multiplyExact(count, dtype.width)
    // TensorFlow and Spark store elements of the same width in the same way.
    val memory =
      if (inOrder && dtype.width == dtype.sql.defaultSize)
        VectorMemory.of(vector, dtype.sql, place(0))
      else None
    memory match {
      case Some((base, offset)) => tensor.read(base, offset, length)
      case None =>
        if (bytes.length < length) bytes = new Array[Byte](length)
        tensor.read(bytes, Platform.BYTE_ARRAY_OFFSET.toLong, length)
        each(vector, count, place)
    }
  }

  private def each(vector: WritableColumnVector, count: Int, place: Int => Int): Unit = {
    val put = putter(vector)
    var row = 0
    while (row < count) {
      put(place(row), Platform.BYTE_ARRAY_OFFSET.toLong + row * dtype.width)
      row += 1
    }
  }

  private def putter(vector: WritableColumnVector): (Int, Long) => Unit = dtype.name match {
    case "float32" => (row, at) => vector.putFloat(row, Platform.getFloat(bytes, at))
    case "float64" => (row, at) => vector.putDouble(row, Platform.getDouble(bytes, at))
    case "float16" =>
      (row, at) => vector.putFloat(row, HalfFloat.fromBits(Platform.getShort(bytes, at)))
    case "bfloat16" =>
      (row, at) => vector.putFloat(row, BFloat16.fromBits(Platform.getShort(bytes, at)))
    case "int64" => (row, at) => vector.putLong(row, Platform.getLong(bytes, at))
    case "int32" => (row, at) => vector.putInt(row, Platform.getInt(bytes, at))
    case "int16" => (row, at) => vector.putShort(row, Platform.getShort(bytes, at))
    case "int8" => (row, at) => vector.putByte(row, Platform.getByte(bytes, at))
    case "uint8" => (row, at) => vector.putShort(row, (Platform.getByte(bytes, at) & 0xff).toShort)
    case "uint16" => (row, at) => vector.putInt(row, Platform.getShort(bytes, at) & 0xffff)
    case "uint32" => (row, at) => vector.putLong(row, Platform.getInt(bytes, at) & 0xffffffffL)
    case "uint64" =>
      (row, at) => vector.putDecimal(row, OutputDecoder.unsigned(Platform.getLong(bytes, at)), 20)
    case _ => (row, at) => vector.putBoolean(row, Platform.getByte(bytes, at) != 0)
  }

  private def strings(
      tensor: NativeTensor,
      count: Int,
      vector: WritableColumnVector,
      place: Int => Int,
      refuse: (Int, RowProblem) => Unit
  ): Long = {
    var length = 0L
    var index = 0
    while (index < count) {
      val value = tensor.string(index.toLong)
      length += value.length + OutputDecoder.bytesOfPlace
      if (isText && !OutputDecoder.isText(value)) refuse(index, notText(value))
      else vector.putByteArray(place(index), value)
      index += 1
    }
    length
  }

  private def notText(value: Array[Byte]): RowProblem =
    new RowProblem(
      ReasonCode.NotText,
      output.column,
      s"output bytes ${Explain.shown(value.take(20))} are not UTF-8",
      s"take the bytes with $binary."
    )
}

private[score] object OutputDecoder {

  /** A vector has the start and the length of each string. */
  private val bytesOfPlace = 8

  /** The 64 bits as an unsigned number. */
  private def unsigned(bits: Long): Decimal = {
    val magnitude = ByteBuffer.allocate(8).putLong(bits).array
    Decimal(new java.math.BigDecimal(new BigInteger(1, magnitude)), 20, 0)
  }

  private def isText(value: Array[Byte]): Boolean =
    isAscii(value) || {
      try {
        StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(value))
        true
      } catch { case _: CharacterCodingException => false }
    }

  private def isAscii(value: Array[Byte]): Boolean = {
    var index = 0
    while (index < value.length && value(index) >= 0) index += 1
    index == value.length
  }
}
