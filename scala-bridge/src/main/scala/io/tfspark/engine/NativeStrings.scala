package io.tfspark.engine

import org.apache.spark.unsafe.Platform

/** Reads and writes the 24-byte records of a string tensor, in the layout of `ctstring_internal.h`
  * on a little-endian machine. Executor.
  *
  * Records written here have the type `large` and point at our memory. TensorFlow copies the bytes
  * of such an element when it keeps the element; it would not copy those of a `view`. TensorFlow
  * does not free the bytes, because it does not own the memory of the records.
  *
  * {{{
  * type    low 2 bits  size                  bytes at
  * small   0           bits 2–7 of byte 0    record + 1, at most 22
  * large   1           bits 2–63 of word 0   pointer in word 2
  * offset  2           bits 2–31 of word 0   record + upper half of word 0
  * view    3           bits 2–63 of word 0   pointer in word 1
  * }}}
  */
private[engine] object NativeStrings {
  val RecordBytes: Int = 24

  def write(record: Long, bytes: Long, length: Int): Unit = {
    Platform.putLong(null, record, (length.toLong << 2) | 1)
    Platform.putLong(null, record + 8, length.toLong)
    Platform.putLong(null, record + 16, bytes)
  }

  def read(record: Long): Array[Byte] = {
    val head = Platform.getLong(null, record)
    head & 3 match {
      case 0 => copy(record + 1, (head >>> 2) & 0x3f)
      case 1 => copy(Platform.getLong(null, record + 16), head >>> 2)
      case 2 => copy(record + (head >>> 32), (head >>> 2) & 0x3fffffff)
      case _ => copy(Platform.getLong(null, record + 8), head >>> 2)
    }
  }

  private def copy(address: Long, length: Long): Array[Byte] = {
    val bytes = new Array[Byte](Math.toIntExact(length))
    Platform.copyMemory(null, address, bytes, Platform.BYTE_ARRAY_OFFSET.toLong, length)
    bytes
  }
}
