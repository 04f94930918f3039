package io.tfspark.sql

import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.vectorized.{ColumnarBatch, ColumnVector}

/** Gathers the rows of a partition into batches, scores them, and gives each row with its results.
  * Executor, one thread.
  *
  * What is kept beside the results waits as bytes, and both rows and bytes of a batch are bounded.
  */
final private[sql] class RowBatches(
    calls: Seq[PlannedCall],
    settings: EvalSettings,
    metrics: EvalMetrics,
    partition: Int,
    keep: Seq[Attribute],
    inputs: Seq[Attribute],
    output: Seq[Attribute]
) {
  private lazy val task = new TaskCalls(calls, settings, metrics, partition)
  private val toKept = UnsafeProjection.create(keep, inputs)
  private val toOutput = UnsafeProjection.create(output, output)
  private val waiting = new KeptRows(keep.size)
  private val joined = new JoinedRow()
  private val most = settings.size.rows.getOrElse(RowBatches.MaxRows)

  /** The rows of a partition with their results. */
  def score(rows: Iterator[InternalRow]): Iterator[InternalRow] =
    Iterator.continually(rows.hasNext).takeWhile(identity).flatMap { _ =>
      gather(rows)
      val results = new ColumnarBatch(task.results.toArray[ColumnVector], waiting.size)
      Iterator.range(0, waiting.size).map(index =>
        toOutput(joined(waiting.row(index), results.getRow(index)))
      )
    }

  private def gather(rows: Iterator[InternalRow]): Unit = {
    waiting.clear()
    task.start()
    while (waiting.size < most && !waiting.isFull && rows.hasNext) {
      val row = rows.next()
      waiting.add(toKept(row))
      task.add(row)
    }
    task.finish()
  }
}

private[sql] object RowBatches {

  /** Rows of a batch that are gathered when the session says nothing. */
  val MaxRows: Int = 8192
}
