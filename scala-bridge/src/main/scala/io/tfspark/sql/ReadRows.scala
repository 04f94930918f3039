package io.tfspark.sql

import java.net.URI
import java.time.LocalDate

import scala.util.Try

import io.tfspark.error.{Explain, ForeignText}
import io.tfspark.score.RowNames
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{Attribute, Cast, InputFileName, Literal}
import org.apache.spark.sql.execution._
import org.apache.spark.sql.execution.datasources.v2.DataSourceV2ScanExecBase
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.types.UTF8String

/** Identifies the rows of the current batch in errors: by the file of each row and its kept
  * columns. Executor, one thread; values are formatted only for an error.
  *
  * @param hasFiles whether Spark reports the right current file for each row; see
  *   `ReadRows.knowsFiles`
  */
final private[sql] class ReadRows(keep: Seq[Attribute], hasFiles: Boolean) extends RowNames {
  private val shown = keep.zipWithIndex
    .filter { case (column, _) => ReadRows.isPlain(column.dataType) }
    .take(ReadRows.ShownColumns)
  private val fileAtHand = InputFileName()
  fileAtHand.initialize(0)
  private var first = 0L
  private var count = 0
  private var kept: Int => InternalRow = _
  private var file: AnyRef = _
  // The first row of each file, in order; the latest is in `file`.
  private var starts = Vector.empty[(Long, AnyRef)]

  /** Begin a batch.
    *
    * @param kept returns the kept columns of a row by its position in the batch
    */
  def start(kept: Int => InternalRow): Unit = {
    first += count
    count = 0
    starts = starts.takeRight(1)
    this.kept = kept
  }

  /** Record the file that rows were just read from. */
  def read(rows: Int = 1): Unit = {
    if (hasFiles) {
      val now = fileAtHand.eval().asInstanceOf[AnyRef]
      if (now ne file) { // Spark has one object for all rows of a file
        file = now
        starts :+= (first + count) -> now
      }
    }
    count += rows
  }

  def fileOf(row: Long): Option[String] =
    starts.takeWhile(_._1 <= row).lastOption.map(_._2.toString).filter(_.nonEmpty).map(
      ReadRows.plain
    )

  def inWords(row: Long): String =
    if (shown.isEmpty) ""
    else {
      val values = kept((row - first).toInt)
      val words = shown.map { case (column, ordinal) =>
        s"${Explain.shown(column.name)}: ${ReadRows.value(values, ordinal, column.dataType)}"
      }
      s" (row {${words.mkString(", ")}})"
    }
}

private[sql] object ReadRows {
  private val ShownColumns = 6
  private val ShownCharacters = 40

  /** Whether all rows come from files, and no operator reads ahead of the row that it returns.
    * Driver.
    */
  def knowsFiles(plan: SparkPlan): Boolean = plan match {
    case _: DataSourceScanExec | _: DataSourceV2ScanExecBase => true
    case _: ProjectExec | _: FilterExec | _: ColumnarToRowExec | _: CollectMetricsExec |
        _: WholeStageCodegenExec | _: InputAdapter | _: BaseLimitExec | _: CoalesceExec |
        _: UnionExec => plan.children.forall(knowsFiles)
    case _ => false
  }

  private def isPlain(kind: DataType): Boolean = kind match {
    case _: NumericType | _: StringType | BooleanType | BinaryType | DateType | TimestampType |
        TimestampNTZType | _: DayTimeIntervalType | _: YearMonthIntervalType => true
    case _ => false
  }

  /** A file as users write it; Spark escapes it as a URI, other readers may not. */
  private def plain(file: String): String =
    Try(new URI(file)).toOption.filter(_.getScheme == "file").fold(file)(_.getPath)

  private def value(row: InternalRow, ordinal: Int, kind: DataType): String = {
    val text = if (row.isNullAt(ordinal)) "null" else shown(row.get(ordinal, kind), kind)
    if (text.length <= ShownCharacters) text else s"${text.take(ShownCharacters)}…"
  }

  private def shown(value: Any, kind: DataType): String = (value, kind) match {
    case (text: UTF8String, _: StringType) => Explain.shown(text.toString)
    case (day: Int, DateType) => LocalDate.ofEpochDay(day.toLong).toString
    case (decimal: Decimal, _) => decimal.toJavaBigDecimal.toString
    case (number: Any, _: NumericType | BooleanType | BinaryType) => Explain.shown(number)
    case _ =>
      ForeignText.oneLine(Cast(Literal(value, kind), StringType, Some("UTC")).eval().toString)
  }
}
