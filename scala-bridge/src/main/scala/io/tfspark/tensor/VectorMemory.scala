package io.tfspark.tensor

import java.lang.reflect.Field

import scala.util.Try

import org.apache.spark.sql.execution.vectorized._
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.Platform

/** Finds the memory in which Spark's vectors keep numbers, so that they are copied once. Executor.
  *
  * Spark's methods copy the elements into a new array for each call. This object therefore reads
  * private fields of `OnHeapColumnVector`, which are looked up once per JVM. Spark 4.0 to 4.3 have
  * the same fields; with a Spark that lacks them, elements are copied one by one.
  */
private[tfspark] object VectorMemory {
  private val fields: Map[DataType, Field] = Seq[(DataType, String)](
    ByteType -> "byteData",
    ShortType -> "shortData",
    IntegerType -> "intData",
    LongType -> "longData",
    FloatType -> "floatData",
    DoubleType -> "doubleData"
  ).flatMap { case (kind, name) => field(name).map(kind -> _) }.toMap

  /** The object and the offset of an element, as `Platform` takes them. `None` if they are not
    * known, or if the vector has a dictionary instead of elements.
    */
  def of(vector: WritableColumnVector, element: DataType, index: Int): Option[(AnyRef, Long)] = {
    val from = index.toLong * element.defaultSize
    vector match {
      case _ if vector.hasDictionary => None
      case off: OffHeapColumnVector => Some((null, off.valuesNativeAddress + from))
      case on: OnHeapColumnVector =>
        val array = fields.get(element).flatMap(field => Option(field.get(on)))
        array.map((_, offset(element) + from))
      case _ => None
    }
  }

  private def field(name: String): Option[Field] = Try {
    val found = classOf[OnHeapColumnVector].getDeclaredField(name)
    found.setAccessible(true)
    found
  }.toOption

  private def offset(element: DataType): Long = element match {
    case ByteType => Platform.BYTE_ARRAY_OFFSET.toLong
    case ShortType => Platform.SHORT_ARRAY_OFFSET.toLong
    case IntegerType => Platform.INT_ARRAY_OFFSET.toLong
    case LongType => Platform.LONG_ARRAY_OFFSET.toLong
    case FloatType => Platform.FLOAT_ARRAY_OFFSET.toLong
    case _ => Platform.DOUBLE_ARRAY_OFFSET.toLong
  }
}
