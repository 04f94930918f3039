package io.tfspark.engine

import io.tfspark.error.EngineException
import io.tfspark.model.DType
import org.apache.spark.unsafe.Platform
import org.tensorflow.internal.c_api.TF_Tensor
import org.tensorflow.internal.c_api.global.tensorflow._

/** One tensor in TensorFlow's memory, released by `close`. Executor, one thread.
  *
  * @param arena
  *   address of the bytes that string records point at, or 0
  */
final class NativeTensor private (private[engine] val handle: TF_Tensor, arena: Long) extends AutoCloseable {

  /** The value in TensorFlow's `DataType` enumeration. */
  def number: Int = TF_TensorType(handle)

  /** The shape. */
  def shape: Seq[Long] = (0 until TF_NumDims(handle)).map(TF_Dim(handle, _))

  /** The address of the elements; 0 when there are none. */
  def address: Long = Option(TF_TensorData(handle)).fold(0L)(_.address)

  /** Copy bytes out of the elements. */
  def read(from: Long, into: Array[Byte], length: Int): Unit =
    Platform.copyMemory(null, address + from, into, Platform.BYTE_ARRAY_OFFSET.toLong, length.toLong)

  /** A string element, as a copy. */
  def string(index: Long): Array[Byte] = NativeStrings.read(address + index * NativeStrings.RecordBytes)

  override def close(): Unit = {
    TF_DeleteTensor(handle)
    if (arena != 0) Platform.freeMemory(arena)
  }
}

object NativeTensor {

  /** Take over a tensor that TensorFlow returned. */
  private[engine] def owned(handle: TF_Tensor): NativeTensor = new NativeTensor(handle, 0)

  /** A tensor of numbers, filled from an array's bytes; rows that are missing repeat the last one.
    *
    * @param offset
    *   where the first byte is
    * @param length
    *   bytes to copy
    */
  def numbers(dtype: DType, shape: Seq[Long], from: Array[Byte], offset: Int, length: Int): NativeTensor = {
    val size = shape.product * dtype.width
    val tensor = new NativeTensor(allocate(dtype, shape, size), 0)
    val start = tensor.address
    Platform.copyMemory(from, Platform.BYTE_ARRAY_OFFSET.toLong + offset, null, start, length.toLong)
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
    * @param ends
    *   where element number i starts, for each of the `count` elements and one more
    * @param perRow
    *   elements of a row; rows that are missing repeat the last one
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
    val arena = Platform.allocateMemory(math.max(1L, length.toLong))
    Platform.copyMemory(from, Platform.BYTE_ARRAY_OFFSET.toLong + ends(0), null, arena, length.toLong)
    val total = shape.product
    val tensor = new NativeTensor(allocate(dtype, shape, total * NativeStrings.RecordBytes), arena)
    val start = tensor.address
    var index = 0
    while (index < total) {
      val source = if (index < count) index else count - perRow + (index - count) % perRow
      val begin = ends(source)
      NativeStrings.write(start + index.toLong * NativeStrings.RecordBytes, arena + begin - ends(0), ends(source + 1) - begin)
      index += 1
    }
    tensor
  }

  private def allocate(dtype: DType, shape: Seq[Long], size: Long): TF_Tensor =
    Option(TF_AllocateTensor(dtype.number, shape.toArray, shape.size, size)).getOrElse {
      throw new EngineException(s"TensorFlow cannot make a tensor of ${dtype.name} (${shape.mkString(", ")}).")
    }
}
