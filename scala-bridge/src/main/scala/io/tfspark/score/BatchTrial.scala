package io.tfspark.score

import scala.collection.mutable

/** Chooses how many rows each run of a model has. Executor, one thread.
  *
  * If the user sets no size, a run has up to 1 MiB. If the first one takes more than 0.1 seconds,
  * shorter ones are tried, because a heavy model needs much memory for 1 MiB of short rows, and is
  * slower with it. Then smaller sizes are timed, and the fastest size is used for the rest of the
  * partition. `tfspark/batching.py` chooses in the same way, and says why; here a run also never
  * has more rows than Spark passes in one batch.
  *
  * @param size what the user or the session sets
  * @param fixed the batch dimension of the model, if it is fixed
  * @param rowBytes the bytes of a row, if all rows have the same size
  */
final private[score] class BatchTrial(size: BatchSize, fixed: Option[Int], rowBytes: Option[Long]) {
  import BatchTrial._

  private val step = size.step(fixed, rowBytes)
  private val stepBytes = size.bytesOf(fixed)
  private val isTried = fixed.isEmpty && size.rows.isEmpty
  private var widest = 0
  private var most = BatchSize.MaxRows
  private var isFirst = true
  private var long: Option[LongRun] = None
  private val trial = mutable.ArrayBuffer.empty[Double]
  private val best = mutable.ArrayBuffer.empty[Double]
  private var chosen: Option[Int] = None
  private var askedRows = step
  private var askedBytes = stepBytes

  /** The rows of the next run. */
  def rows: Int = askedRows

  /** The bytes that fill the next run, if `rowBytes` is not known. */
  def bytes: Long = askedBytes

  /** Spark passes a batch.
    *
    * @param rows its rows, or the most rows that it may have
    */
  def begin(rows: Int): Unit = {
    widest = math.max(widest, rows)
    ask()
  }

  /** Record how long a full run took; runs that the end of a batch cuts short are not recorded. */
  def took(rows: Int, seconds: Double): Unit = if (isTried && chosen.isEmpty) {
    val isLong = isFirst && seconds > LongSeconds && rows > 1
    isFirst = false
    if (isLong) {
      long = Some(LongRun(rows, seconds / rows))
      most = math.max((rows * LongSeconds / seconds).toInt, 1)
    } else {
      trial += seconds / rows
      if (trial.size == Runs) {
        record(trial.tail.min)
        trial.clear()
      }
    }
    ask()
  }

  private def ask(): Unit = if (isTried) {
    val halvings = chosen.getOrElse(best.size)
    askedRows = math.max(math.min(math.min(step, widest), most) >> halvings, 1)
    askedBytes = stepBytes >> halvings
  }

  /** Record the seconds per row of one size. */
  private def record(each: Double): Unit =
    if (long.exists(_.isAsGood(each))) {
      most = BatchSize.MaxRows
      long = None
    } else {
      long = None
      best += each
      val isSlower = best.takeRight(2).map(_ * Margin > best.min)
      if (best.size == Sizes || isSlower == Seq(true, true)) {
        val times = best.head * Margin +: best.tail
        chosen = Some(times.indexOf(times.min))
      }
    }
}

private[score] object BatchTrial {

  /** How many sizes are timed: the largest one, its half, and so on. */
  val Sizes: Int = 5

  /** If the first run takes longer than this, runs that take about this long are tried. */
  val LongSeconds: Double = 0.1

  /** Runs of one size in a row. The first one does not count, because the caches still hold the
    * data of another size; the fastest of the others counts.
    */
  val Runs: Int = 5

  /** A size must be this much faster than the first one, because smaller differences are noise. */
  private val Margin: Double = 0.95

  /** A long first run.
    *
    * @param each seconds per row
    */
  final private case class LongRun(rows: Int, each: Double) {

    /** Whether short runs, of `seconds` per row, gain nothing over runs of this size.
      *
      * The first run also takes long if TensorFlow prepares the graph in it; later ones then do
      * not. If each run has fixed costs, a row takes longer in a short run.
      */
    def isAsGood(seconds: Double): Boolean =
      seconds * rows <= LongSeconds || seconds * Margin > each
  }
}
