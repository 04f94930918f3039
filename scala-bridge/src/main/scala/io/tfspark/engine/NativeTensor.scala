package io.tfspark.engine

import io.tfspark.error.EngineException
import io.tfspark.model.DType
import org.apache.spark.unsafe.Platform
import org.bytedeco.javacpp.Pointer
import org.tensorflow.internal.c_api.{Deallocator_Pointer_long_Pointer, TF_Tensor}
import org.tensorflow.internal.c_api.global.tensorflow._

/** One tensor in TensorFlow's memory, released by `close`. Executor, one thread. */
final class NativeTensor private (private[engine] val handle: TF_Tensor) extends AutoCloseable {

  /** The value in TensorFlow's `DataType` enumeration. */
  def number: Int = TF_TensorType(handle)

  /** The shape. */
  def shape: Seq[Long] = (0 until TF_NumDims(handle)).map(TF_Dim(handle, _))

  /** The address of the elements; 0 when there are none. */
  def address: Long = Option(TF_TensorData(handle)).fold(0L)(_.address)

  /** Copy the first bytes of the elements.
    *
    * @param into an array, or null for memory outside of Java's heap
    * @param offset where the first byte goes, as `Platform` takes it
    */
  def read(into: AnyRef, offset: Long, length: Int): Unit =
    Platform.copyMemory(null, address, into, offset, length.toLong)

  /** A string element, as a copy. */
  def string(index: Long): Array[Byte] =
    NativeStrings.read(address + index * NativeStrings.RecordBytes)

  override def close(): Unit = TF_DeleteTensor(handle)
}

object NativeTensor {

  /** Take ownership of a tensor that TensorFlow returned. */
  private[engine] def owned(handle: TF_Tensor): NativeTensor = new NativeTensor(handle)

  /** A tensor of numbers, filled from the bytes of an object; missing rows repeat the last row.
    *
    * @param from an array, or null for memory outside of Java's heap
    * @param offset place of the first byte, as `Platform` takes it
    * @param length bytes to copy
    */
  def numbers(
      dtype: DType,
      shape: Seq[Long],
      from: AnyRef,
      offset: Long,
      length: Int
  ): NativeTensor = {
    val size = shape.product * dtype.width
    val tensor = new NativeTensor(made(
      dtype,
      shape,
      TF_AllocateTensor(dtype.number, shape.toArray, shape.size, size)
    ))
    val start = tensor.address
    Platform.copyMemory(from, offset, null, start, length.toLong)
    if (length < size) {
      val row = (size / shape.head).toInt
      (length.toLong until size by row.toLong).foreach { at =>
        Platform.copyMemory(null, start + length - row, null, start + at, row.toLong)
      }
    }
    tensor
  }

  /** A tensor of byte strings, which are copied.
    *
    * @param from the strings, one after the other, each followed by a NUL
    * @param ends start of each of the `count` elements, then the position after the last element
    * @param perRow elements of a row; missing rows repeat the last row
    */
  def strings(
      dtype: DType,
      shape: Seq[Long],
      from: Array[Byte],
      ends: Int => Int,
      count: Int,
      perRow: Int
  ): NativeTensor = {
    val length = ends(count) - ends(0)
    val total = shape.product
    val records = total * NativeStrings.RecordBytes
    val memory = Platform.allocateMemory(math.max(1L, records + length))
    val bytes = memory + records
    Platform.copyMemory(
      from,
      Platform.BYTE_ARRAY_OFFSET.toLong + ends(0),
      null,
      bytes,
      length.toLong
    )
    var index = 0
    while (index < total) {
      val source = if (index < count) index else count - perRow + (index - count) % perRow
      val begin = ends(source)
      val record = memory + index.toLong * NativeStrings.RecordBytes
      NativeStrings.write(record, bytes + begin - ends(0), ends(source + 1) - begin - 1)
      index += 1
    }
    new NativeTensor(made(dtype, shape, wrap(dtype, shape, memory, records)))
  }

  /** A tensor around our memory; TensorFlow calls `freeMemory` when no tensor uses the memory any
    * more.
    */
  private def wrap(dtype: DType, shape: Seq[Long], memory: Long, length: Long): TF_Tensor = {
    val data = new Pointer { address = memory }
    TF_NewTensor(dtype.number, shape.toArray, shape.size, data, length, freeMemory, null)
  }

  /** A single instance, because JavaCPP supports only a few callbacks. TensorFlow calls it from any
    * of its threads.
    */
  private lazy val freeMemory: Deallocator_Pointer_long_Pointer =
    new Deallocator_Pointer_long_Pointer {
      override def call(data: Pointer, length: Long, unused: Pointer): Unit =
        Platform.freeMemory(data.address)
    }

  private def made(dtype: DType, shape: Seq[Long], handle: TF_Tensor): TF_Tensor =
    Option(handle).getOrElse {
      throw new EngineException(
        s"TensorFlow cannot make a tensor of ${dtype.name} (${shape.mkString(", ")})."
      )
    }
}
