package io.tfspark.score

import io.tfspark.engine.SignatureRunner
import io.tfspark.error.EngineException
import io.tfspark.model._
import io.tfspark.tensor._
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.execution.vectorized.WritableColumnVector

/** Scores the rows of one batch into result vectors: all APIs of the bridge use it. Executor, one
  * thread.
  *
  * Memory is bounded by the batch; a row with a null input is not fed and gives null; a bad row is
  * named, or gives null with its reason.
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
  private val rejects = new Rejects(binding.onError, origin)
  private val groups = new GroupRunner(runner, binding, origin, metrics, rejects)

  /** Whether the signature leaves the size of an output open; only runs then show its bytes. */
  val isOpen: Boolean =
    binding.outputs.exists(one => one.spec.rowSize.isEmpty || one.dtype.width == 0)
  private var isUnknown = isOpen
  private var outputBytes =
    binding.outputs.map(one => one.spec.rowSize.getOrElse(0L) * math.max(1, one.dtype.width)).sum
  private val growth =
    new BatchGrowth(size, binding.batchDimension, rowBytes, runner.modelBytes, isOpen)
  // If the bytes of a row are not known in advance, bytes are counted too.
  private val countsBytes = encoder.rowBytes.isEmpty
  private var seen = 0L
  private var waiting = 0
  private var ran = false
  private var capacity = 0
  private var index = 0
  private var vector: WritableColumnVector = _
  private var outputs: Seq[WritableColumnVector] = Nil
  private var reason: Option[WritableColumnVector] = None

  /** The only column that may be copied as a whole from a columnar batch. */
  val bulkPlace: Option[ColumnPlace] = BulkColumn.placeOf(binding.inputs, places)

  /** Begin a batch; its results are written into a vector of the binding's result type.
    *
    * @param most its rows, or the most rows that it may have
    */
  def start(into: WritableColumnVector, most: Int = BatchSize.MaxRows): Unit = {
    growth.begin(most)
    vector = into
    outputs =
      if (binding.isStruct) binding.outputs.indices.map(into.getChild) else Seq(into)
    reason = binding.reason.map(_ => into.getChild(outputs.size))
    rejects.clear()
    index = 0
    capacity = 0
    ran = false
    into.reset()
  }

  /** Take the next row, which may change afterwards. */
  def add(row: InternalRow): Unit = {
    val isFed =
      try encoder.add(row, index)
      catch {
        case problem: RowProblem =>
          rejects.add(problem, index, seen)
          false
        case tooLarge: EngineException =>
          throw new EngineException(
            s"${origin.at(s"row ${seen + index}")}: ${tooLarge.getMessage}",
            Some(tooLarge)
          )
      }
    advance(isFed)
    if (waiting >= growth.rows || hasAllBytes) flush()
  }

  private def hasAllBytes: Boolean =
    countsBytes && encoder.bytes + waiting * outputBytes >= growth.bytes

  /** Take a row whose values could not be read. */
  def reject(problem: RowProblem): Unit = {
    rejects.add(problem, index, seen)
    advance(isFed = false)
  }

  private def advance(isFed: Boolean): Unit = {
    if (index == capacity) grow(math.max(BatchScorer.leastCapacity, capacity * 2))
    // A struct of several outputs is not null, but each of its fields is null.
    if (!isFed) outputs.foreach(_.putNull(index))
    index += 1
    if (isFed) waiting += 1
  }

  /** Whether the model has scored rows of the batch. */
  def hasRun: Boolean = ran

  /** Whether the results of the batch are so large that it should end, even if more rows follow. A
    * model with a fixed batch dimension is given whole batches, unless nearly all rows are null.
    */
  def isFull: Boolean =
    index * (outputBytes + BatchScorer.leastRowBytes) >= size.mostBytes &&
      (binding.batchDimension.isEmpty || waiting == 0 || index >= BatchSize.MaxRows)

  /** The most rows whose results fit into memory, as far as their size is known: whole batches of a
    * model with a fixed batch dimension.
    */
  def rowsThatFit: Int = {
    val most =
      math.min(Int.MaxValue.toLong, size.mostBytes / (outputBytes + BatchScorer.leastRowBytes))
    val first = size.rows.getOrElse(BatchGrowth.FirstRows).toLong
    val rows = if (isUnknown) math.min(most, first) else most
    val whole = binding.batchDimension.getOrElse(1)
    math.max(rows.toInt / whole, 1) * whole
  }

  /** Score the rows that wait; the vector then has a result for every row. */
  def finish(): Unit = {
    flush()
    rejects.write(index, outputs, reason)
    seen += index
  }

  /** Score rows of a batch whose only input is contiguous, until the results are full.
    *
    * @param column the column at `bulkPlace`
    * @param from position of the first row in the column
    * @param rows the most rows
    * @return the rows that were scored; 0 if the column is not contiguous, and the rows have to be
    *   started again
    */
  def scoreAll(
      column: WritableColumnVector,
      from: Int,
      rows: Int,
      into: WritableColumnVector
  ): Int =
    bulkPlace.fold(0) { place =>
      scoreAll(new BulkColumn(column, place, binding.inputs.head.dtype, from), rows, into)
    }

  private def scoreAll(bulk: BulkColumn, rows: Int, into: WritableColumnVector): Int = {
    start(into, rows)
    grow(rows)
    var taken = true
    while (taken && index < rows && !isFull) {
      val count = math.min(growth.rows, rows - index)
      taken = encoder.addAll(bulk, index, count)
      if (taken) {
        index += count
        waiting = count
        flush()
      }
    }
    if (taken) {
      finish()
      index
    } else {
      encoder.clear()
      0
    }
  }

  override def close(): Unit = runner.close()

  private def rowBytes: Option[Long] = encoder.rowBytes.map(_ + outputBytes)

  /** Take the most bytes that the outputs of a row had as the size of those to come. */
  private def learn(bytes: Long): Unit = if (isUnknown || bytes > outputBytes) {
    isUnknown = false
    outputBytes = math.max(outputBytes, bytes)
    growth.learn(rowBytes)
  }

  private def grow(rows: Int): Unit = {
    capacity = rows
    vector.reserve(rows)
    outputs.foreach(_.reserve(rows))
    reason.foreach { struct =>
      struct.reserve(rows)
      OnError.reasonType.indices.foreach(struct.getChild(_).reserve(rows))
    }
  }

  private def flush(): Unit = {
    if (waiting > 0) {
      ran = true
      // Only rows that are fed tell how long more of them would take.
      val isFull = waiting >= growth.rows || hasAllBytes
      val started = System.nanoTime()
      encoder.groups.foreach(groups.score(_, outputs, seen))
      if (isFull) growth.took(waiting, (System.nanoTime() - started) / 1e9)
      if (isOpen) groups.outputBytes.foreach(learn)
    }
    encoder.clear()
    waiting = 0
  }
}

private object BatchScorer {
  private val leastCapacity = 64

  /** The least bytes of a row, including those that Spark keeps; a null row needs them too. */
  private val leastRowBytes = 16L
}
