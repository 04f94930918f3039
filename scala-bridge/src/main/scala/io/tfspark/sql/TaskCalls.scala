package io.tfspark.sql

import io.tfspark.engine._
import io.tfspark.model.Binding
import io.tfspark.score._
import io.tfspark.tensor.ColumnPlace
import org.apache.spark.TaskContext
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.Attribute
import org.apache.spark.sql.execution.metric.SQLMetric
import org.apache.spark.sql.execution.vectorized.{OnHeapColumnVector, WritableColumnVector}
import org.apache.spark.sql.vectorized.{ColumnarBatch, ColumnVector}

/** One call, as it is sent to an executor. Serialisable; it has no live objects.
  *
  * @param places for each input, the positions of its columns in the rows of the child
  */
final case class PlannedCall(call: ModelCall, source: ModelSource, places: Seq[Seq[ColumnPlace]]) {

  def binding: Binding = call.binding
}

/** Settings that all calls of a node share in a task. Serialisable.
  *
  * @param keep the columns kept beside the results
  * @param hasFiles whether Spark knows the file of each row
  */
final case class EvalSettings(
    size: BatchSize,
    keptModels: Int,
    keep: Seq[Attribute],
    hasFiles: Boolean
)

/** The metrics of a node: rows, batches, and the time to load and run models. */
final case class EvalMetrics(rows: SQLMetric, batches: SQLMetric, load: SQLMetric, run: SQLMetric)
    extends ScoreMetrics {

  override def ran(count: Int, nanos: Long): Unit = {
    rows.add(count.toLong)
    batches.add(1)
    run.add(nanos)
  }
}

/** The calls of one task: their sessions, and a result vector for each. Executor, one thread.
  *
  * Sessions return to the cache when the task ends or fails. The scoring thread can be another
  * thread than the task's own, and may outlive the task (`TRANSFORM … USING 'head'`); then its next
  * run is refused.
  */
final private[sql] class TaskCalls(
    calls: Seq[PlannedCall],
    settings: EvalSettings,
    metrics: EvalMetrics,
    partition: Int
) {
  private val context = TaskContext.get()
  private val rows = new ReadRows(settings.keep, settings.hasFiles)
  private val scorers = calls.map(open)

  /** The results of the current batch, one per call. They are not closed but left to the garbage
    * collector, because a thread may still decode a run into a vector after the task has ended.
    */
  val results: Seq[WritableColumnVector] =
    calls.map(call => new OnHeapColumnVector(16, call.binding.result))

  /** Begin a batch of rows.
    *
    * @param kept returns the kept columns of a row by its position in the batch
    * @param most the most rows that the batch may have
    */
  def start(kept: Int => InternalRow, most: Int): Unit = {
    rows.start(kept)
    scorers.lazyZip(results).foreach(_.start(_, most))
  }

  /** Add a row that was just read. */
  def add(row: InternalRow): Unit = {
    rows.read()
    scorers.foreach(_.add(row))
  }

  /** Whether the results are so large that the batch should end. */
  def isFull: Boolean = scorers.exists(_.isFull)

  /** End the batch; the results then hold a value for every row. */
  def finish(): Unit = scorers.foreach(_.finish())

  /** Score a columnar batch that was just read, in parts whose results fit into memory; copies
    * whole columns if possible.
    *
    * @param kept the ordinals of the kept columns
    * @return the kept columns and the results of each part, which are valid until the next part
    */
  def score(batch: ColumnarBatch, kept: Seq[Int]): Iterator[ColumnarBatch] =
    new Iterator[ColumnarBatch] {
      private val columns = kept.map(batch.column)
      private var from = 0

      override def hasNext: Boolean = from < batch.numRows

      override def next(): ColumnarBatch = {
        val count = scorePart(batch, columns, from)
        val some =
          if (count == batch.numRows) columns else columns.map(new ColumnPart(_, from))
        from += count
        new ColumnarBatch((some ++ results).toArray, count)
      }
    }

  /** Score rows from a position on, until the results are full; returns their number. */
  private def scorePart(batch: ColumnarBatch, kept: Seq[ColumnVector], from: Int): Int = {
    lazy val columns = new ColumnarBatch(kept.toArray, batch.numRows)
    rows.start(index => columns.getRow(from + index))
    rows.read(0) // the file
    val most = math.min(scorers.map(_.rowsThatFit).min, batch.numRows - from)
    // Several calls end at the same row, which is known in advance if all sizes are.
    val count =
      if (scorers.size > 1 && scorers.exists(_.isOpen))
        scoreRows(scorers.indices, batch, from, most)
      else scorers.indices.map(scoreAlone(_, batch, from, most)).min
    rows.read(count)
    count
  }

  private def scoreAlone(call: Int, batch: ColumnarBatch, from: Int, most: Int): Int = {
    val scorer = scorers(call)
    val atOnce = scorer.bulkPlace.map(place => batch.column(place.ordinal)).collect {
      case vector: WritableColumnVector => scorer.scoreAll(vector, from, most, results(call))
    }
    atOnce.filter(_ > 0).getOrElse(scoreRows(Seq(call), batch, from, most))
  }

  private def scoreRows(calls: Seq[Int], batch: ColumnarBatch, from: Int, most: Int): Int = {
    calls.foreach(call => scorers(call).start(results(call), most))
    var count = 0
    while (count < most && !calls.exists(scorers(_).isFull)) {
      calls.foreach(scorers(_).add(batch.getRow(from + count)))
      count += 1
    }
    calls.foreach(scorers(_).finish())
    count
  }

  private def open(planned: PlannedCall): BatchScorer = {
    val started = System.nanoTime()
    val model = planned.call.located.model
    val key = SessionKey(model.digest, model.tags, planned.source, model.size, context.cpus())
    val lease = SessionCache.shared.lease(key, settings.keptModels)
    val runner = TaskEnd.runner(context, lease)(_.runner(planned.call.signature))
    metrics.load.add((System.nanoTime() - started) / 1000000)
    val origin = Origin(model.title, Some(partition), rows)
    new BatchScorer(
      runner,
      planned.binding,
      planned.places,
      planned.call.batchRows.fold(settings.size)(rows => BatchSize(Some(rows))),
      origin,
      metrics
    )
  }
}
