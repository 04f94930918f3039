package io.tfspark.score

import io.tfspark.engine.SignatureRunner
import io.tfspark.model._
import io.tfspark.tensor._
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.execution.vectorized.WritableColumnVector

/** Scores the rows of one batch into result vectors: every face of the bridge ends here. Executor,
  * one thread.
  *
  * Memory is bounded by the batch; a row with a null input is not fed and gives null; a row that
  * fails is named.
  *
  * @param places for each bound input its columns
  */
final class BatchScorer(
    runner: SignatureRunner,
    binding: Binding,
    places: Seq[Seq[ColumnPlace]],
    size: BatchSize,
    origin: Origin,
    metrics: ScoreMetrics = ScoreMetrics.none
) extends AutoCloseable {
  private val encoder = new BatchEncoder(binding.inputs, places)
  private val groups = new GroupRunner(runner, binding, origin, metrics)
  private val outputBytes =
    binding.outputs.map(one => one.spec.rowSize.getOrElse(0L) * math.max(1, one.dtype.width)).sum
  private val most = binding.batchDimension.getOrElse(size.rows.getOrElse(BatchSize.MaxRows))
  private var seen = 0L
  private var index = 0
  private var vector: WritableColumnVector = _
  private var outputs: Seq[WritableColumnVector] = Nil

  /** The single column that may be taken at once from a columnar batch. */
  val bulkPlace: Option[ColumnPlace] = BulkColumn.placeOf(binding.inputs, places)

  /** Begin a batch, whose results go into the rows of a vector of the binding's result type. */
  def start(into: WritableColumnVector): Unit = {
    vector = into
    outputs =
      if (binding.outputs.size == 1) Seq(into) else binding.outputs.indices.map(into.getChild)
    index = 0
    into.reset()
  }

  /** Take the next row, which may change afterwards. */
  def add(row: InternalRow): Unit = {
    vector.reserve(index + 1)
    outputs.foreach(_.reserve(index + 1))
    val isFed =
      try encoder.add(row, index)
      catch { case problem: RowProblem => throw groups.rowError(problem, seen + index) }
    // A struct of several outputs is there, and each of its fields is null.
    if (!isFed) outputs.foreach(_.putNull(index))
    index += 1
    if (isFull) flush()
  }

  /** Score what waits; the vector then holds a result for every row. */
  def finish(): Unit = {
    flush()
    seen += index
  }

  /** Score a whole batch whose single input lies in one piece; tells whether it could.
    *
    * If it could not, the batch has to be started again.
    */
  def scoreAll(bulk: BulkColumn, rows: Int, into: WritableColumnVector): Boolean = {
    start(into)
    into.reserve(rows)
    outputs.foreach(_.reserve(rows))
    val input = binding.inputs.head
    val step = math.min(
      most,
      size.rowsFor(input.spec.rowSize.getOrElse(1L) * input.dtype.width + outputBytes)
    )
    val taken = (0 until rows by step).forall { from =>
      val done = encoder.addAll(bulk, from, math.min(step, rows - from))
      if (done) flush()
      done
    }
    if (taken) seen += rows else encoder.clear()
    taken
  }

  override def close(): Unit = runner.close()

  private def isFull: Boolean =
    encoder.size >= most ||
      (size.rows.isEmpty && binding.batchDimension.isEmpty &&
        encoder.bytes + encoder.size * outputBytes >= BatchSize.TargetBytes)

  private def flush(): Unit = {
    encoder.groups.foreach(groups.score(_, outputs, seen))
    encoder.clear()
  }
}
