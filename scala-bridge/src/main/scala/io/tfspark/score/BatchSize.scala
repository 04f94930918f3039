package io.tfspark.score

/** The size of a batch for one run of a model.
  *
  * @param rows number of rows; by default `BatchGrowth` chooses, up to 1 MiB of input and output,
  *   or up to 8 rows if these have more and fit into 8 MiB
  * @param mostBytes most bytes of a batch for any number of rows; a larger batch is run in parts
  */
final case class BatchSize(rows: Option[Int], mostBytes: Long = BatchSize.MostBytes) {

  /** The rows of one run.
    *
    * @param fixed the batch dimension of the model, if it is fixed; fewer rows would be padded to
    *   it
    * @param bytesPerRow the bytes of a row, if all rows have the same size
    */
  def step(fixed: Option[Int], bytesPerRow: Option[Long]): Int = {
    val within = bytesPerRow.fold(BatchSize.MaxRows)(rowsByDefault)
    fixed.orElse(rows).fold(math.min(within, BatchSize.MaxRows)) { wanted =>
      bytesPerRow.fold(wanted)(each => math.min(wanted, rowsWithin(bytesOf(fixed), each)))
    }
  }

  /** The bytes at which a batch is full, if it is not limited by its rows alone. */
  def bytesOf(fixed: Option[Int]): Long =
    if (fixed.isDefined) BatchSize.MostFixedBytes else bytes

  private def bytes: Long = if (rows.isDefined) mostBytes else BatchSize.TargetBytes

  private def rowsByDefault(each: Long): Int = {
    val few = math.min(rowsWithin(BatchSize.FewBytes, each), BatchSize.FewRows)
    math.max(rowsWithin(BatchSize.TargetBytes, each), few)
  }

  private def rowsWithin(bytes: Long, each: Long): Int =
    math.max(1L, math.min(Int.MaxValue.toLong, bytes / math.max(1L, each))).toInt

  override def toString: String = rows.fold("auto")(_.toString)
}

object BatchSize {
  val TargetBytes: Long = 1L << 20

  /** Large rows, such as images, exceed the 1 MiB: each run has fixed costs and reads all weights,
    * so it has a few of them anyway, up to these bytes.
    */
  val FewRows: Int = 8
  val FewBytes: Long = 8L << 20
  val MostBytes: Long = 128L << 20

  /** A batch that cannot be smaller is bounded only by the size of Java's arrays, with room for a
    * row.
    */
  val MostFixedBytes: Long = 1L << 30
  val MaxRows: Int = 131072
}
