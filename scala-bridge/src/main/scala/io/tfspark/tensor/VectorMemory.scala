package io.tfspark.tensor

import java.lang.reflect.Field

import scala.util.Try

import org.apache.spark.sql.execution.vectorized._
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.Platform

/** Where Spark's vectors keep their numbers, so that these are copied once. Executor.
  *
  * Spark's methods copy the elements into a new array for each call. So this object reads the
  * private fields of `OnHeapColumnVector`: they are looked up once per JVM. Spark 4.0 to 4.3 have
  * the same fields; if another Spark has not, elements are copied one by one.
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

  /** The object and the offset of an element, as `Platform` takes them; nothing if they are not
    * known, or if the elements are not in the vector, because it has a dictionary.
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
