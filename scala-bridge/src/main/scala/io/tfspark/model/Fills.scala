package io.tfspark.model

import scala.util.Try

import io.tfspark.error.Explain
import org.apache.spark.sql.catalyst.expressions.{Cast, EvalMode, Literal}
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.types.UTF8String

/** Converts fills to values of the columns that they replace nulls in. Driver and executor. */
object Fills {

  /** A fill as Spark's value of a type; none when it is not a value of that type. Text from a
    * command line is parsed; no number is rounded.
    */
  def valueOf(fill: Any, kind: DataType): Option[Any] = (fill, kind) match {
    case (text: String, _: StringType) => Some(Literal(text).value)
    case (text: String, BinaryType) => Some(text.getBytes("UTF-8"))
    case (bytes: Array[Byte], BinaryType) => Some(bytes)
    case (bytes: Array[Byte], _: StringType) =>
      Some(UTF8String.fromBytes(bytes))
    case (_, _: StringType | BinaryType) | (_: Array[Byte], _) => None
    case _ => Try(cast(Literal(fill), kind)).toOption.flatten.filter(isKept(fill, _, kind))
  }

  private def cast(from: Literal, to: DataType): Option[Any] =
    Option(Cast(from, to, Some("UTC"), EvalMode.TRY).eval())

  /** The problems of the fills of inputs. */
  private[model] def misfits(inputs: Seq[InputBinding], columns: Seq[ColumnAtHand]): Seq[String] = {
    val byName = columns.map(column => column.name -> column).toMap
    val fed = inputs.flatMap(input => input.columns.distinct.map(input -> byName(_)))
    val twice = fed.groupBy(_._2.name).toSeq.collect {
      case (name, uses) if uses.map(_._1.nulls.fill.map(_.toString)).distinct.size > 1 =>
        s"column '$name' feeds two inputs, and on_null gives it two fills"
    }
    twice ++ fed.flatMap { case (input, column) =>
      for {
        fill <- input.nulls.fill
        form <- column.form if valueOf(fill, elementOf(form, input.dtype)).isEmpty
      } yield s"input ${input.spec}: on_null is ${Explain.shown(fill)}, which does not fit " +
        s"column '${column.name}' of ${column.label}; cast the column, or give another value"
    }
  }

  /** The type of a column's elements; a column without a type gets the type of its input. */
  def elementOf(form: ColumnForm, dtype: DType): DataType =
    if (form.element == NullType) dtype.sql else form.element

  /** Whether a number is the same after its conversion: not cut, not made infinite, and for a
    * boolean, 0 or 1.
    */
  private def isKept(fill: Any, value: Any, kind: DataType): Boolean = (fill, value) match {
    case (_, kept: Decimal) =>
      Try(new java.math.BigDecimal(fill.toString.trim)).toOption
        .forall(_.compareTo(kept.toJavaBigDecimal) == 0)
    case (number: Number, _) if isIntegral(kind) =>
      cast(Literal(value, kind), DoubleType).contains(number.doubleValue)
    case (number: Number, _: Boolean) => Set(0d, 1d)(number.doubleValue)
    case (_, kept: Float) => !kept.isInfinite || isInfinite(fill)
    case (_, kept: Double) => !kept.isInfinite || isInfinite(fill)
    case _ => true
  }

  /** Whether a fill is infinity itself, and not a number that is too large. */
  private def isInfinite(fill: Any): Boolean =
    Try(new java.math.BigDecimal(fill.toString.trim)).isFailure

  private def isIntegral(kind: DataType): Boolean =
    Set[DataType](ByteType, ShortType, IntegerType, LongType).contains(kind)
}
