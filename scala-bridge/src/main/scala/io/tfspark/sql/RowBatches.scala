package io.tfspark.sql

import io.tfspark.score.BatchSize
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.expressions.codegen.GenerateUnsafeRowJoiner
import org.apache.spark.sql.execution.metric.SQLMetric
import org.apache.spark.sql.types.{StructField, StructType}
import org.apache.spark.sql.vectorized.{ColumnarBatch, ColumnVector}

/** Collects the rows of a partition into batches, scores them, and returns each row with its
  * results. Executor, one thread.
  *
  * Kept columns are stored as bytes until the batch is scored. The number of rows, their bytes and
  * the bytes of the results limit a batch.
  */
final private[sql] class RowBatches(
    calls: Seq[PlannedCall],
    settings: EvalSettings,
    metrics: EvalMetrics,
    rowsOut: SQLMetric,
    partition: Int,
    inputs: Seq[Attribute]
) {
  private val keep = settings.keep
  private lazy val task = new TaskCalls(calls, settings, metrics, partition)
  private val keepsAll = keep.map(_.exprId) == inputs.map(_.exprId)
  private val toKept = UnsafeProjection.create(keep, inputs)
  private val results = StructType(calls.zipWithIndex.map { case (call, index) =>
    StructField(s"result$index", call.binding.result)
  })
  private val toResults = UnsafeProjection.create(results)
  private val joiner = GenerateUnsafeRowJoiner.create(schemaOf(keep), results)
  private val waiting = new KeptRows(keep.size)
  private val most = RowBatches.most(
    settings.size.rows.getOrElse(RowBatches.MaxRows),
    calls.flatMap(_.binding.batchDimension)
  )

  /** The rows of a partition with their results. */
  def score(rows: Iterator[InternalRow]): Iterator[InternalRow] = new Iterator[InternalRow] {
    private var batch = new ColumnarBatch(Array.empty[ColumnVector], 0)
    private var at = 0

    override def hasNext: Boolean = at < batch.numRows || {
      at = 0
      batch = if (rows.hasNext) gather(rows) else new ColumnarBatch(Array.empty[ColumnVector], 0)
      batch.numRows > 0
    }

    override def next(): InternalRow = {
      if (!hasNext) throw new NoSuchElementException("the partition has no more rows")
      val row = joiner.join(waiting.row(at), toResults(batch.getRow(at)))
      at += 1
      row
    }
  }

  private def gather(rows: Iterator[InternalRow]): ColumnarBatch = {
    waiting.clear()
    task.start(waiting.row, most)
    while (waiting.size < most && !waiting.isFull && !task.isFull && rows.hasNext) {
      val row = rows.next()
      waiting.add(kept(row))
      task.add(row)
    }
    task.finish()
    rowsOut.add(waiting.size.toLong)
    new ColumnarBatch(task.results.toArray[ColumnVector], waiting.size)
  }

  private def kept(row: InternalRow): UnsafeRow = row match {
    case whole: UnsafeRow if keepsAll => whole
    case other => toKept(other)
  }

  private def schemaOf(attributes: Seq[Attribute]): StructType =
    StructType(attributes.map(one => StructField(one.name, one.dataType, one.nullable)))
}

private[sql] object RowBatches {

  /** Default number of rows in a batch; a setting of the session overrides it. */
  val MaxRows: Int = 8192

  /** The most rows of a batch: whole batches of the models with a fixed batch dimension. Otherwise
    * each batch would end with a run that is padded.
    *
    * @param rows the rows that are asked for
    * @param fixed the batch dimensions of the models; without a common multiple, the largest counts
    */
  def most(rows: Int, fixed: Seq[Int]): Int = if (fixed.isEmpty) rows
  else {
    val common = fixed.distinct.foldLeft(BigInt(1)) { (whole, one) => whole / whole.gcd(one) * one }
    val whole = if (common <= BatchSize.MaxRows) common.toInt else fixed.max
    val wanted = math.min((rows.toLong + whole - 1) / whole, (Int.MaxValue / whole).toLong)
    (wanted * whole).toInt
  }
}
