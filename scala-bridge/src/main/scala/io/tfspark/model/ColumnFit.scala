package io.tfspark.model

import io.tfspark.error.Terms
import org.apache.spark.sql.types._

/** Decides whether a column can feed an input, and explains why it cannot. Driver. */
final private[model] class ColumnFit(terms: Terms) {

  /** The reason why a column cannot feed an input; none when it can.
    *
    * @param isStack whether the column is one of several that are stacked into a vector
    * @param listed whether a list of columns names it, even a list of one column
    */
  def misfit(
      spec: TensorSpec,
      column: ColumnAtHand,
      narrow: Boolean,
      isStack: Boolean,
      listed: Boolean
  ): Option[String] = {
    val dtype = ColumnFit.dtypeOf(spec)
    val expected = if (isStack) dtype.sqlName else ColumnFit.wanted(spec)
    val found = s"found column '${column.name}' of ${column.label}"
    (column.form, ColumnFit.conversion(spec, column)) match {
      case (Some(form), Some(_)) if isStack && form.depth > 0 =>
        Some(s"column '${column.name}' is ${column.label}; only scalar columns can be stacked")
      case (Some(form), Some(_)) if isStack && ColumnFit.arePixels(spec, form) =>
        Some(Refusals(column, dtype, expected))
      case (Some(form), Some(_)) if ColumnFit.isVoid(form) || ColumnFit.arePixels(spec, form) =>
        None
      case (Some(form), Some(_)) if !isStack && !ColumnFit.hasDepth(spec, form.depth, listed) =>
        Some(s"expected $expected, $found")
      case (Some(_), Some(Conversion.Narrow)) if !narrow =>
        Some(
          s"expected $expected, $found, whose values may have fractions; cast the column, or " +
            s"allow whole numbers with ${terms.narrow}"
        )
      case (Some(_), Some(_)) => None
      case _ => Some(Refusals(column, dtype, expected))
    }
  }
}

private[model] object ColumnFit {

  /** The conversion of a column's elements to those of an input; none when there is no conversion.
    */
  def conversion(spec: TensorSpec, column: ColumnAtHand): Option[Conversion] =
    column.form.flatMap { form =>
      if (isVoid(form) || arePixels(spec, form)) Some(Conversion.Exact)
      else form.conversion(dtypeOf(spec))
    }

  /** Whether a column feeds an input without any rounding. */
  def keepsValues(spec: TensorSpec, column: ColumnAtHand): Boolean =
    conversion(spec, column).exists(how => how == Conversion.Exact || how == Conversion.Widen)

  /** Whether a column is a bare NULL or array(), which takes the type of its input. */
  def isVoid(form: ColumnForm): Boolean = form.element == NullType

  /** Whether a column of bytes can feed the pixels, or other raw bytes, of an input: a vector of
    * any length, or a row of known size.
    */
  def arePixels(spec: TensorSpec, form: ColumnForm): Boolean =
    form == ColumnForm.Arrays(BinaryType, 0) && spec.dtype == "uint8" &&
      spec.rowShape.exists(row => row.size == 1 || (row.nonEmpty && spec.rowSize.isDefined))

  /** The Spark type of a column that feeds an input. */
  def wanted(spec: TensorSpec): String = spec.rowShape match {
    case None | Some(Seq()) => spec.sql
    case Some(row) =>
      val either =
        if (row == Seq(Some(1L))) s"${spec.sql} or ${DType.arraysOf(spec.sql, 1)}" else spec.sql
      s"$either of shape ${TensorSpec.format(row)}"
  }

  private def dtypeOf(spec: TensorSpec): DType =
    DType.of(spec.dtype).getOrElse(throw new IllegalStateException(spec.toString))

  /** Whether a column with this many levels of lists can hold rows of the input. */
  private def hasDepth(spec: TensorSpec, depth: Int, listed: Boolean): Boolean =
    spec.rowShape match {
      case None => true
      case Some(row) if depth == row.size => true
      // A scalar feeds a vector of any length only if it is given in a list of columns.
      case Some(row) if depth == 0 => row == Seq(Some(1L)) || (listed && row == Seq(None))
      case Some(row) => depth == 1 && spec.rowSize.isDefined && row.size > 1
    }
}
