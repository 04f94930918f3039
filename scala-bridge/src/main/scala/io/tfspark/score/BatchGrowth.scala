package io.tfspark.score

import scala.collection.mutable

/** Chooses how many rows each run of a model has. Executor, one thread.
  *
  * If the user sets no size, a run has the rows of `BatchSize`, and at most the rows that Spark
  * passes in one batch. A large model may need much memory and time for 1 MiB of short rows, so its
  * runs begin with fewer rows and grow, until one takes 0.1 seconds and larger ones gain nothing.
  * If the signature leaves the size of an output open, the first run has few rows, and shows how
  * large the outputs are. `tfspark/batch_size.py` also times smaller sizes. Here this made an LSTM
  * 1.7 times slower.
  *
  * @param size what the user or the session sets
  * @param fixed the batch dimension of the model, if it is fixed
  * @param rowBytes the bytes of a row, if all rows have the same size
  * @param modelBytes the size of the model's files; 0 if it is unknown
  * @param isOpen whether the size of an output is not known before the first run
  */
final private[score] class BatchGrowth(
    size: BatchSize,
    fixed: Option[Int],
    rowBytes: Option[Long],
    modelBytes: Long,
    isOpen: Boolean = false
) {
  import BatchGrowth._

  private var step = size.step(fixed, rowBytes)
  private val stepBytes = size.bytesOf(fixed)
  private val isChosen = fixed.isEmpty && size.rows.isEmpty
  private var isFirst = isOpen
  private var widest = 0
  private var most = firstRows(modelBytes)
  private var isGrowing = most < BatchSize.MaxRows
  private val growing = mutable.ArrayBuffer.empty[Double] // the times of one size
  private var smaller = Double.PositiveInfinity // seconds per row with the previous size
  private var askedRows = step

  /** The rows of the next run. */
  def rows: Int = askedRows

  /** The bytes that fill the next run, if `rowBytes` is not known. */
  def bytes: Long = stepBytes

  /** Record that Spark passes a batch.
    *
    * @param rows its rows, or the most rows that it may have
    */
  def begin(rows: Int): Unit = {
    widest = math.max(widest, rows)
    ask()
  }

  /** Record the bytes of a row that the runs so far have shown; see `rowBytes`. */
  def learn(rowBytes: Option[Long]): Unit = {
    isFirst = false
    step = size.step(fixed, rowBytes)
    ask()
  }

  /** Record how long a full run took; runs that the end of a batch cuts short are not recorded. */
  def took(rows: Int, seconds: Double): Unit = if (isChosen && isGrowing && !isFirst) {
    if (rows >= most) grow(rows, seconds)
    else {
      most = BatchSize.MaxRows // the largest run or a batch of Spark is reached
      isGrowing = false
    }
    ask()
  }

  /** Choose the next size, or stop growing if the last step gained nothing.
    *
    * The first run of a size may take long because TensorFlow prepares for it, so a slow size is
    * timed twice. If each run has fixed costs, a row takes less time in a longer run.
    */
  private def grow(rows: Int, seconds: Double): Unit = {
    growing += seconds
    val least = growing.min
    val growth = math.min(LongSeconds / math.max(least, 1e-9), MostGrowth).toInt
    if (growth >= 2 || growing.size > 1) {
      growing.clear()
      val before = smaller
      smaller = least / rows
      isGrowing = growth >= 2 || before.isInfinite || smaller <= before * Margin
      most =
        if (isGrowing) math.min(rows.toLong * math.max(growth, 2), BatchSize.MaxRows.toLong).toInt
        else if (least <= LongSeconds) rows
        else rows / 2
    }
  }

  private def ask(): Unit =
    askedRows =
      if (!isChosen) step
      else {
        val largest = if (isFirst) math.min(most, FirstRows) else most
        math.max(math.min(math.min(step, widest), largest), 1)
      }
}

private[score] object BatchGrowth {

  /** The first run of a large model has few rows: each row is expected to use each weight once, and
    * this many bytes of weights are used in a fraction of a second.
    */
  val FirstBytes: Long = 1L << 29
  val FirstRows: Int = 16

  /** The next run may have up to this many times the rows, if it is expected to take at most
    * `LongSeconds`. Slower runs only double, and only while a row then takes less time.
    */
  val MostGrowth: Double = 64
  val LongSeconds: Double = 0.1

  /** A longer run must be this much faster for each row, because smaller differences are noise. */
  private val Margin: Double = 0.95

  private def firstRows(modelBytes: Long): Int = {
    val rows = if (modelBytes == 0) Long.MaxValue else FirstBytes / modelBytes
    math.min(math.max(rows, FirstRows.toLong), BatchSize.MaxRows.toLong).toInt
  }
}
