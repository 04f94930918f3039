package io.tfspark.jobs

import java.math.BigDecimal

import scala.util.Try

import io.tfspark.error.Explain
import io.tfspark.model._
import io.tfspark.tensor.ShortFloat
import org.apache.spark.sql.Column
import org.apache.spark.sql.catalyst.CatalystTypeConverters
import org.apache.spark.sql.functions.lit
import org.apache.spark.sql.types.Decimal

/** Converts the constants of a command line to columns: each text is parsed as a value of its
  * input. Driver.
  */
private[jobs] object Constants {

  /** The column of each input that a constant feeds. */
  def columns(signature: Signature, constants: Map[String, String]): Map[String, Column] = {
    val specs = signature.inputs.map(spec => spec.name -> spec).toMap
    // The binding refuses names that are not inputs of the signature.
    val read = constants.map { case (name, text) => name -> specs.get(name).map(value(_, text)) }
    val problems = read.values.flatten.flatMap(_.left.toSeq).toSeq
    if (problems.nonEmpty)
      throw Binding.misfit(signature, problems)
    read.map { case (name, found) =>
      name -> lit(found.flatMap(_.toOption).getOrElse(constants(name)))
    }
  }

  private def value(spec: TensorSpec, text: String): Either[String, Any] = {
    val problem =
      s"input $spec: ${Explain.shown(text)} is not a constant of type ${spec.dtype}"
    val read = for {
      dtype <- DType.of(spec.dtype)
      value <- Fills.valueOf(if (dtype.kind == Kind.Bytes) text else text.trim, dtype.sql)
      exact = Try(new BigDecimal(text.trim)).toOption
      short = exact.flatMap(number => ShortFloat.of(dtype).map(_.nearest(number)))
      nearest = short.getOrElse(value)
      if isInRange(nearest, dtype, exact.isDefined)
    } yield CatalystTypeConverters.convertToScala(nearest, dtype.sql)
    read.toRight(problem)
  }

  /** Whether a number is in the range of its input, which can be smaller than that of the column; a
    * finite number must not become an infinity.
    */
  private def isInRange(value: Any, dtype: DType, isFinite: Boolean): Boolean =
    (value, dtype.kind) match {
      case (number: Number, _: Kind.Integral) =>
        val (least, most) = dtype.range
        number.longValue >= least && number.longValue <= most
      case (number: Decimal, _: Kind.Integral) => // unsigned, 64 bits
        val whole = number.toJavaBigDecimal.toBigInteger
        whole.signum >= 0 && whole.bitLength <= 64
      case (number: Number, _) => !isFinite || !number.doubleValue.isInfinite
      case _ => true
    }
}
