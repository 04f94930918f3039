package io.tfspark.score

/** The counters of a task. */
trait ScoreMetrics {

  /** The model ran on some rows. */
  def ran(rows: Int, nanos: Long): Unit
}

object ScoreMetrics {

  /** Counts nothing. */
  val none: ScoreMetrics = (_: Int, _: Long) => ()
}
