package io.tfspark.score

/** When rows are enough for one run of a model.
  *
  * @param rows exactly so many, or nothing for as many as make about 1 MiB of input and output
  */
final case class BatchSize(rows: Option[Int]) {

  /** The rows of one run, when the bytes of a row are known. */
  def rowsFor(bytesPerRow: Long): Int =
    rows.getOrElse(math.max(
      1L,
      math.min(BatchSize.MaxRows.toLong, BatchSize.TargetBytes / math.max(1L, bytesPerRow))
    ).toInt)

  override def toString: String = rows.fold("auto")(_.toString)
}

object BatchSize {
  val TargetBytes: Long = 1L << 20
  val MaxRows: Int = 131072
}
