package io.tfspark.score

import io.tfspark.error.ForeignText

/** Whose rows these are; the words that every error of a row begins with. */
final case class Origin(model: String, partition: Option[Int]) {

  /** The place of some rows in words. */
  def at(rows: String): String =
    ForeignText.oneLine(
      s"model $model, $rows${partition.fold("")(number => s" of partition $number")}"
    )
}
