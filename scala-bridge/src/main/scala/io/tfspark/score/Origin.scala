package io.tfspark.score

import io.tfspark.error.ForeignText

/** Identifies a row for the user. Executor, one thread. */
trait RowNames {

  /** The file that a row of the partition was read from, if it is known. */
  def fileOf(row: Long): Option[String]

  /** The kept columns of a row as text, such as `" (row {'id': 7})"`; empty without kept columns.
    */
  def inWords(row: Long): String
}

object RowNames {

  /** For rows that have only a number. */
  object None extends RowNames {
    def fileOf(row: Long): Option[String] = Option.empty
    def inWords(row: Long): String = ""
  }
}

/** The model and the partition of some rows, named at the start of every row error. */
final case class Origin(model: String, partition: Option[Int], rows: RowNames = RowNames.None) {

  /** Text that locates some rows. */
  def at(rows: String): String =
    ForeignText.oneLine(
      s"model $model, $rows${partition.fold("")(number => s" of partition $number")}"
    )

  /** Text that locates one row, with its file if it is known. */
  def ofRow(row: Long, column: String = ""): String =
    at(s"${column}row $row") +
      rows.fileOf(row).fold("")(file => s", from ${ForeignText.oneLine(file)}")
}
