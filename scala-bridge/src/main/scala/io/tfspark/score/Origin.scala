package io.tfspark.score

import io.tfspark.error.ForeignText

/** What a user finds a row by. Executor, one thread. */
trait RowNames {

  /** The file that a row of the partition was read from, where that is known. */
  def fileOf(row: Long): Option[String]

  /** The kept columns of a row, such as `" (row {'id': 7})"`; empty without any. */
  def inWords(row: Long): String
}

object RowNames {

  /** Of rows that have a number alone. */
  object None extends RowNames {
    def fileOf(row: Long): Option[String] = Option.empty
    def inWords(row: Long): String = ""
  }
}

/** The model and the partition of some rows, named at the start of every row error. */
final case class Origin(model: String, partition: Option[Int], rows: RowNames = RowNames.None) {

  /** The place of some rows in words. */
  def at(rows: String): String =
    ForeignText.oneLine(
      s"model $model, $rows${partition.fold("")(number => s" of partition $number")}"
    )

  /** The place of one row in words, with its file where that is known. */
  def ofRow(row: Long, column: String = ""): String =
    at(s"${column}row $row") +
      rows.fileOf(row).fold("")(file => s", from ${ForeignText.oneLine(file)}")
}
