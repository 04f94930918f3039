package io.tfspark.tensor

import java.nio.ByteBuffer

import io.tfspark.error._
import io.tfspark.model.DType
import org.apache.spark.unsafe.Platform
import org.apache.spark.unsafe.types.UTF8String

/** Elements of one input for the rows of one group, in row order. A tensor is filled from them.
  * Executor, one thread.
  *
  * Bounded by the batch; memory is kept from batch to batch.
  */
sealed trait Elements {

  /** The number of bytes in use. */
  def bytes: Long

  /** Forget all elements, keep the memory. */
  def clear(): Unit = keep(0)

  /** Forget all elements but the first. */
  private[tensor] def keep(elements: Int): Unit

  /** A copy in which some rows have the elements of others.
    *
    * @param standIns row → the row whose elements it gets
    * @param perRow elements of a row
    */
  def replacing(standIns: Map[Int, Int], perRow: Int): Elements

  /** A copy of the elements, for comparisons. */
  def copied: ByteBuffer
}

private[tensor] object Elements {

  /** Room for elements of a type. */
  def of(dtype: DType): Elements =
    if (dtype.width == 0) new StringElements else new FixedElements(dtype.width)
}

/** Numbers and booleans in TensorFlow's own layout. They are in an array of their own, or refer to
  * the memory of an object of Spark.
  */
final class FixedElements(val width: Int) extends Elements {
  private var memory = new Array[Byte](1 << 8)
  private var used = 0
  private var referred: Option[(AnyRef, Long)] = None

  def bytes: Long = used.toLong
  private[tensor] def keep(elements: Int): Unit = {
    used = elements * width
    if (used == 0) referred = None
  }
  def copied: ByteBuffer = ByteBuffer.wrap(owned(used))

  def replacing(standIns: Map[Int, Int], perRow: Int): FixedElements = {
    val copy = new FixedElements(width)
    copy.memory = owned(used)
    copy.used = used
    val length = perRow * width
    standIns.foreach { case (row, other) =>
      System.arraycopy(copy.memory, other * length, copy.memory, row * length, length)
    }
    copy
  }

  /** The object that holds the elements, and the offset of the first of them, as `Platform` takes
    * them.
    */
  def place: (AnyRef, Long) = referred.getOrElse((memory, Platform.BYTE_ARRAY_OFFSET.toLong))

  /** Take elements without a copy from an object of this layout, which does not change before
    * `clear`.
    */
  def refer(base: AnyRef, offset: Long, count: Int): Unit =
    if (used > 0) putAll(base, offset, count)
    else {
      referred = Some((base, offset))
      used = Math.multiplyExact(count, width)
    }

  def putByte(value: Byte): Unit = {
    val offset = next() // may move the memory
    Platform.putByte(memory, offset, value)
  }

  def putShort(value: Short): Unit = {
    val offset = next() // may move the memory
    Platform.putShort(memory, offset, value)
  }

  def putInt(value: Int): Unit = {
    val offset = next() // may move the memory
    Platform.putInt(memory, offset, value)
  }

  def putLong(value: Long): Unit = {
    val offset = next() // may move the memory
    Platform.putLong(memory, offset, value)
  }

  def putFloat(value: Float): Unit = {
    val offset = next() // may move the memory
    Platform.putFloat(memory, offset, value)
  }

  def putDouble(value: Double): Unit = {
    val offset = next() // may move the memory
    Platform.putDouble(memory, offset, value)
  }

  /** Copy elements that lie in another object of this layout. */
  def putAll(base: AnyRef, offset: Long, count: Int): Unit = {
    val start = extend(count) // may move the memory
    Platform.copyMemory(base, offset, memory, start, count.toLong * width)
  }

  /** Make room for more elements, which the caller writes; returns the offset of the first. */
  private[tensor] def extend(count: Int): Long = {
    val length = Math.multiplyExact(count, width)
    reserve(length)
    val start = Platform.BYTE_ARRAY_OFFSET.toLong + used
    used += length
    start
  }

  private def next(): Long = {
    reserve(width)
    val offset = Platform.BYTE_ARRAY_OFFSET.toLong + used
    used += width
    offset
  }

  private def reserve(more: Int): Unit = {
    if (referred.isDefined) {
      memory = owned(used)
      referred = None
    }
    memory = Grown(memory, used, more)
  }

  private def owned(length: Int): Array[Byte] = {
    val copy = new Array[Byte](length)
    val (base, offset) = place
    Platform.copyMemory(base, offset, copy, Platform.BYTE_ARRAY_OFFSET.toLong, length.toLong)
    copy
  }
}

/** Byte strings, one after the other, each followed by a NUL, and the end of each.
  *
  * TensorFlow keeps a NUL after its own strings, and some kernels rely on it: without it,
  * `tf.strings.to_number`, or `tf.strings.upper` of UTF-8, would read on into the next element.
  */
final class StringElements extends Elements {
  private var memory = new Array[Byte](1 << 8)
  private var bounds = new Array[Int](1 << 4)
  private var count = 0

  def bytes: Long = end(count).toLong
  private[tensor] def keep(elements: Int): Unit = count = elements
  def copied: ByteBuffer = ByteBuffer.wrap(java.util.Arrays.copyOf(memory, end(count)))

  def replacing(standIns: Map[Int, Int], perRow: Int): StringElements = {
    val copy = new StringElements
    (0 until count).foreach { index =>
      val row = index / perRow
      val source = standIns.getOrElse(row, row) * perRow + index % perRow
      copy.put(java.util.Arrays.copyOfRange(memory, end(source), end(source + 1) - 1))
    }
    copy
  }

  /** The memory to which the bounds refer. */
  def array: Array[Byte] = memory

  /** The start of element number `index`, just after the NUL of the previous one; for one past the
    * last, the end of all.
    */
  def end(index: Int): Int = if (index == 0) 0 else bounds(index - 1)

  def put(value: UTF8String): Unit = {
    val length = value.numBytes()
    reserve(length + 1)
    value.writeToMemory(memory, Platform.BYTE_ARRAY_OFFSET.toLong + end(count))
    close(length)
  }

  def put(value: Array[Byte]): Unit = {
    reserve(value.length + 1)
    System.arraycopy(value, 0, memory, end(count), value.length)
    close(value.length)
  }

  private def reserve(more: Int): Unit = memory = Grown(memory, end(count), more)

  private def close(length: Int): Unit = {
    if (count == bounds.length) bounds = java.util.Arrays.copyOf(bounds, count * 2)
    val nul = end(count) + length
    memory(nul) = 0
    bounds(count) = nul + 1
    count += 1
  }
}

/** Arrays that double when they are full. */
private[tfspark] object Grown {
  def apply(memory: Array[Byte], used: Int, more: Int): Array[Byte] = {
    val wanted = used.toLong + more
    if (wanted <= memory.length) memory
    else {
      val most = Int.MaxValue - 16
      if (wanted > most)
        throw new EngineException(
          Explain(
            "The rows of one batch are too large.",
            expected = s"at most $most bytes",
            found = s"$wanted bytes",
            hint = "give a smaller batch size, or smaller rows."
          )
        )
      java.util.Arrays.copyOf(
        memory,
        math.min(most.toLong, math.max(wanted, memory.length * 2L)).toInt
      )
    }
  }
}
