package io.tfspark.score

import io.tfspark.model._
import io.tfspark.tensor.{RowProblem, ShortFloat}
import org.apache.spark.sql.catalyst.CatalystTypeConverters
import org.apache.spark.sql.catalyst.util.GenericArrayData
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.types.UTF8String

/** Values of a program ↔ values of rows: numbers, strings, bytes, and sequences or arrays of them.
  * Driver and executor.
  *
  * A value is nested like a row of the tensor. One number also feeds a row of shape (1,), and a
  * flat sequence a row of several known sizes.
  *
  * Any number feeds a float, rounded to its precision, and any whole number an integer; one that is
  * out of range, or has a fraction, is a `RowProblem`.
  */
private[tfspark] object RowValues {

  /** The type of an input's column in a row of values. */
  def columnType(spec: TensorSpec): DataType =
    DType.nested(
      DType.of(spec.dtype).fold[DataType](NullType)(_.sql),
      spec.rowShape.fold(0)(_.size)
    )

  /** A value in the form of a row. If it contains a null at any depth, it is not fed. */
  def toRow(spec: TensorSpec, value: Any): Any =
    convert(spec, columnType(spec), nested(spec, value))

  /** A value of a result row in the form of a program: sequences for arrays, a `Row` for several
    * outputs.
    */
  def fromRow(kind: DataType, value: Any): Any = CatalystTypeConverters.convertToScala(value, kind)

  private def nested(spec: TensorSpec, value: Any): Any =
    (spec.rowShape.filter(_.forall(_.isDefined)).map(_.flatten), value) match {
      case (_, null) => null
      case (Some(Seq(1)), one) if elements(spec, one).isEmpty => Seq(one)
      case (Some(_ +: inner), flat) if inner.nonEmpty && isFlat(spec, flat) =>
        val all = elements(spec, flat).getOrElse(Nil)
        if (!spec.rowSize.contains(all.size.toLong)) {
          val shape = TensorSpec.format(spec.rowShape.getOrElse(Nil))
          val problem = s"expected a row of shape $shape, found (${all.size},)"
          throw refusal(ReasonCode.WrongShape, spec, problem)
        }
        inner.foldRight(all)((size, many) => many.grouped(size.toInt).toSeq)
      case (_, other) => other
    }

  private def isFlat(spec: TensorSpec, value: Any): Boolean =
    elements(spec, value).exists { many =>
      many.nonEmpty && many.forall(one => Option(one).isEmpty || elements(spec, one).isEmpty)
    }

  /** The elements of a sequence or an array; none of a single value. */
  private def elements(spec: TensorSpec, value: Any): Option[Seq[Any]] = value match {
    case many: scala.collection.Seq[_] => Some(many.toSeq)
    case _: Array[Byte] if spec.dtype == "string" => None
    case many: Array[_] => Some(many.toSeq)
    case _ => None
  }

  private def convert(spec: TensorSpec, kind: DataType, value: Any): Any = (kind, value) match {
    case (_, null) => null
    case (ArrayType(element, _), many: scala.collection.Seq[_]) =>
      new GenericArrayData(many.map(convert(spec, element, _)).toArray[Any])
    case (ArrayType(element, _), many: Array[_]) =>
      new GenericArrayData(many.map(convert(spec, element, _)).toArray[Any])
    case (_: StringType, text: String) => UTF8String.fromString(text)
    case (_: StringType, bytes: Array[Byte]) => UTF8String.fromBytes(bytes)
    case (BooleanType, flag: Boolean) => flag
    case (_: NumericType, flag: Boolean) => exactly(spec, kind, if (flag) 1 else 0)
    case (_: NumericType, number: Number) => exactly(spec, kind, number)
    case _ =>
      throw refusal(ReasonCode.Unreadable, spec, s"expected ${spec.sql}, found ${shown(value)}")
  }

  private def exactly(spec: TensorSpec, kind: DataType, number: Number): Any = {
    val converted: Option[Any] = kind match {
      case ByteType => Some(number.byteValue)
      case ShortType => Some(number.shortValue)
      case IntegerType => Some(number.intValue)
      case LongType => Some(number.longValue)
      case FloatType =>
        val short = DType.of(spec.dtype).flatMap(ShortFloat.of)
        Some(short.fold(number.floatValue)(_.nearest(number)))
      case DoubleType => Some(number.doubleValue)
      case whole: DecimalType =>
        decimal(number)
          .filter(value => isWhole(number) && value.precision - value.scale <= whole.precision)
          .map(Decimal(_, whole.precision, 0))
      case _ => None
    }
    converted.filter(fits(number, _)).getOrElse {
      val isFraction = kind != FloatType && kind != DoubleType && !isWhole(number)
      throw refusal(
        if (isFraction) ReasonCode.Unreadable else ReasonCode.OutOfRange,
        spec,
        s"expected ${kind.catalogString}, found ${shown(number)}, which does not fit"
      )
    }
  }

  /** Whether a number may replace another one: a float the number that it rounds, an integer only
    * itself.
    */
  private def fits(before: Number, after: Any): Boolean = after match {
    case real: Float => !real.isInfinite || before.doubleValue.isInfinite
    case real: Double => !real.isInfinite || before.doubleValue.isInfinite
    case whole => decimal(before).exists(_.compareTo(new java.math.BigDecimal(whole.toString)) == 0)
  }

  private def isWhole(number: Number): Boolean =
    decimal(number).exists(_.stripTrailingZeros.scale <= 0)

  /** The exact value of a finite number. */
  private def decimal(number: Number): Option[java.math.BigDecimal] = number match {
    case real @ (_: java.lang.Float | _: java.lang.Double) =>
      Option.when(
        java.lang.Double.isFinite(real.doubleValue)
      )(new java.math.BigDecimal(real.doubleValue))
    case whole => Some(new java.math.BigDecimal(whole.toString))
  }

  private def shown(value: Any): String = s"$value (${value.getClass.getSimpleName})"

  private def refusal(code: ReasonCode, spec: TensorSpec, problem: String): RowProblem =
    new RowProblem(code, spec.name, problem)
}
