package io.tfspark.score

/** When rows are enough for one run of a model.
  *
  * @param rows so many, or nothing for as many as make about 1 MiB of input and output
  * @param mostBytes what rows may take whatever their number: a batch that is larger is run in
  *   parts
  */
final case class BatchSize(rows: Option[Int], mostBytes: Long = BatchSize.MostBytes) {

  /** The rows of one run.
    *
    * @param fixed the batch dimension of a model that has one: fewer rows would be padded to it
    * @param bytesPerRow where all rows take the same
    */
  def step(fixed: Option[Int], bytesPerRow: Option[Long]): Int = {
    val within = bytesPerRow.fold(BatchSize.MaxRows)(rowsWithin(bytes, _))
    fixed.orElse(rows).fold(math.min(within, BatchSize.MaxRows)) { wanted =>
      bytesPerRow.fold(wanted)(each => math.min(wanted, rowsWithin(bytesOf(fixed), each)))
    }
  }

  /** The bytes that are enough for one run, where the rows are not counted alone. */
  def bytesOf(fixed: Option[Int]): Long =
    if (fixed.isDefined) BatchSize.MostFixedBytes else bytes

  private def bytes: Long = if (rows.isDefined) mostBytes else BatchSize.TargetBytes

  private def rowsWithin(bytes: Long, each: Long): Int =
    math.max(1L, math.min(Int.MaxValue.toLong, bytes / math.max(1L, each))).toInt

  override def toString: String = rows.fold("auto")(_.toString)
}

object BatchSize {
  val TargetBytes: Long = 1L << 20
  val MostBytes: Long = 128L << 20

  /** A batch that cannot be smaller is bounded by Java's arrays alone, with room for a row. */
  val MostFixedBytes: Long = 1L << 30
  val MaxRows: Int = 131072
}
