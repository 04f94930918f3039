package io.tfspark.model

import org.apache.spark.sql.types._

/** One row of the table of element types: TensorFlow ↔ Spark SQL.
  *
  * An output type that Spark does not have is widened (uint8 → smallint, half → float, uint64 →
  * decimal), never narrowed.
  *
  * @param name TensorFlow's name, as in `tf.float32.name`
  * @param number the value in TensorFlow's `DataType` enumeration (types.proto)
  * @param width bytes of one element; 0 for strings
  * @param sql type of a column that holds such elements
  */
final case class DType(name: String, number: Int, width: Int, kind: Kind, sql: DataType) {

  /** Spark's name of the column type. */
  def sqlName: String = sql.catalogString

  /** Whether elements are unsigned integers of 64 bits. */
  def isUnsignedLong: Boolean = kind == Kind.Integral(signed = false) && width == 8

  /** The smallest and the largest integer that a long can hold; meaningless for other kinds. */
  def range: (Long, Long) = {
    val bits = width * 8
    if (isUnsignedLong) (0L, Long.MaxValue)
    else if (kind == Kind.Integral(signed = true)) (-1L << (bits - 1), ~(-1L << (bits - 1)))
    else (0L, ~(-1L << bits))
  }
}

/** The kind of values of an element type. */
sealed trait Kind

object Kind {
  case object Bool extends Kind
  case object Bytes extends Kind
  case object Floating extends Kind
  final case class Integral(signed: Boolean) extends Kind
}

/** A conversion of column elements to tensor elements. */
sealed trait Conversion

object Conversion {

  /** Bytes are copied unchanged. */
  case object Exact extends Conversion

  /** Every value is kept. */
  case object Widen extends Conversion

  /** Numbers are rounded to the precision of the tensor; an overflow is an error of its row. */
  case object Round extends Conversion

  /** Each integer is checked; an integer out of range is an error of its row. */
  case object Check extends Conversion

  /** Numbers with possible fractions feed an integer input: only on request, and each number is
    * checked.
    */
  case object Narrow extends Conversion
}

/** The table of all types; driver and executor. It has no state and needs no native library. */
object DType {
  import Kind._

  private val signed = Integral(signed = true)
  private val unsigned = Integral(signed = false)

  /** All types that can pass between Spark and a model. */
  val table: Seq[DType] = Seq(
    DType("float32", 1, 4, Floating, FloatType),
    DType("float64", 2, 8, Floating, DoubleType),
    DType("int32", 3, 4, signed, IntegerType),
    DType("uint8", 4, 1, unsigned, ShortType),
    DType("int16", 5, 2, signed, ShortType),
    DType("int8", 6, 1, signed, ByteType),
    DType("string", 7, 0, Bytes, StringType),
    DType("int64", 9, 8, signed, LongType),
    DType("bool", 10, 1, Bool, BooleanType),
    DType("bfloat16", 14, 2, Floating, FloatType),
    DType("uint16", 17, 2, unsigned, IntegerType),
    DType("float16", 19, 2, Floating, FloatType),
    DType("uint32", 22, 4, unsigned, LongType),
    DType("uint64", 23, 8, unsigned, DecimalType(20, 0))
  )

  /** The number of `DT_FLOAT_REF`, a variable's type in an old graph, minus that of `DT_FLOAT`. */
  val Reference: Int = 100

  /** Marks sparse, ragged and other composite tensors; not a number of TensorFlow's. */
  val Composite: Int = -1

  private val complex =
    "Spark has no complex type; return the real and imaginary parts as two outputs"
  private val quantised = "quantised elements need their range; dequantise inside the model"

  private val refused: Map[Int, (String, String)] = Map(
    Composite -> ("composite" -> "a sparse or ragged tensor cannot be a column; use dense tensors"),
    8 -> ("complex64" -> complex),
    11 -> ("qint8" -> quantised),
    12 -> ("quint8" -> quantised),
    13 -> ("qint32" -> quantised),
    15 -> ("qint16" -> quantised),
    16 -> ("quint16" -> quantised),
    18 -> ("complex128" -> complex),
    20 -> ("resource" -> "a resource is a handle inside one process; it cannot be a column"),
    21 -> ("variant" -> "a variant (list, ragged, dataset) cannot be a column; return dense tensors")
  )

  /** The names of the types with the numbers from 24; an element takes at most one byte. */
  private val small =
    ("float8_e5m2 float8_e4m3fn float8_e4m3fnuz float8_e4m3b11fnuz float8_e5m2fnuz " +
      "int4 uint4 int2 uint2 float4_e2m1fn").split(' ').toSeq

  private val byName = table.map(row => row.name -> row).toMap
  private val byNumber = table.map(row => row.number -> row).toMap

  /** The row of a TensorFlow type name, if the table has it. */
  def of(name: String): Option[DType] = byName.get(name)

  /** TensorFlow's name of a `DataType` number, supported or not. */
  def nameOf(number: Int): String =
    byNumber.get(
      number
    ).map(_.name).orElse(refused.get(number).map(_._1)).orElse(small.lift(number - 24))
      .getOrElse(s"DataType $number")

  /** Why a TensorFlow type is not supported, with a hint; none for a type of the table. */
  def unsupported(name: String): Option[String] =
    Option.unless(byName.contains(name))(
      refused.values.toMap.getOrElse(name, "cast to a type of Spark inside the model")
    )

  /** The conversion of elements of a Spark type to elements of a tensor, by Spark's rules of an
    * ANSI store assignment; none when there is no conversion.
    */
  def conversion(from: DataType, to: DType): Option[Conversion] = (from, to.kind) match {
    case (_: StringType | BinaryType, Bytes) => Some(Conversion.Exact)
    case (BooleanType, Bool) => Some(Conversion.Exact)
    case (BooleanType, Floating | _: Integral) => Some(Conversion.Widen)
    case (FloatType | DoubleType, Floating) =>
      Some(sized(from.defaultSize, to.width, Conversion.Round))
    case (ByteType | ShortType | IntegerType | LongType, Floating) =>
      // A float has fewer digits than an integer of the same width.
      Some(if (from.defaultSize < to.width) Conversion.Widen else Conversion.Round)
    case (ByteType | ShortType | IntegerType | LongType, Integral(true)) =>
      Some(sized(from.defaultSize, to.width, Conversion.Check))
    case (ByteType | ShortType | IntegerType | LongType, Integral(false)) => Some(Conversion.Check)
    case (_: DecimalType, Floating) => Some(Conversion.Round)
    case (decimal: DecimalType, _: Integral) =>
      Some(if (decimal.scale <= 0) Conversion.Check else Conversion.Narrow)
    case (FloatType | DoubleType, _: Integral) => Some(Conversion.Narrow)
    case _ => None
  }

  private def sized(from: Int, to: Int, longer: Conversion): Conversion =
    if (from == to) Conversion.Exact else if (from < to) Conversion.Widen else longer

  /** The element type below all arrays of a column type, and the number of levels. */
  def elementOf(column: DataType): (DataType, Int) = column match {
    case ArrayType(element, _) =>
      val (inner, depth) = elementOf(element)
      (inner, depth + 1)
    case other => (other, 0)
  }

  /** A column type inside `depth` levels of arrays. */
  def nested(element: DataType, depth: Int): DataType =
    (0 until depth).foldLeft(element)((inner, _) => ArrayType(inner, containsNull = false))

  /** Spark's name of a type inside `depth` levels of arrays. */
  def arraysOf(sql: String, depth: Int): String = "array<" * depth + sql + ">" * depth
}
