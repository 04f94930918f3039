package io.tfspark.score

import io.tfspark.error.ForeignText

/** The model and the partition of some rows, named at the start of every row error. */
final case class Origin(model: String, partition: Option[Int]) {

  /** The place of some rows in words. */
  def at(rows: String): String =
    ForeignText.oneLine(
      s"model $model, $rows${partition.fold("")(number => s" of partition $number")}"
    )
}
