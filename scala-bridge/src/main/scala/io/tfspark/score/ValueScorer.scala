package io.tfspark.score

import io.tfspark.ScoreOptions
import io.tfspark.engine._
import io.tfspark.error._
import io.tfspark.model._
import io.tfspark.tensor.{ColumnPlace, RowProblem}
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow
import org.apache.spark.sql.execution.vectorized.OnHeapColumnVector
import org.apache.spark.sql.types.StructType
import org.apache.spark.sql.vectorized.{ColumnarBatch, ColumnVector}

/** Scores rows of plain values, batch by batch. Driver or executor, one thread.
  *
  * @param fetch outputs to return, in this order
  */
final private[tfspark] class ValueScorer(
    session: NativeSession,
    signature: Signature,
    fetch: Seq[String],
    options: ScoreOptions,
    origin: Origin
) extends AutoCloseable {
  private val inputs = (if (signature.isRowByRow) signature.byRows else signature).inputs
  private val binding = Binding.bind(
    signature,
    inputs.map(spec => ColumnAtHand(spec.name, RowValues.columnType(spec))),
    fetch = Some(fetch.map(name => name -> name)),
    // Every value was checked against the type of its column; narrower types are checked here.
    options = options.copy(narrow = true).binding(Terms.Scala)
  )
  private val places = binding.inputs.zipWithIndex.map { case (input, index) =>
    Seq(ColumnPlace(input.spec.name, index, RowValues.columnType(input.spec)))
  }
  private val scorer = new BatchScorer(
    session.runner(signature),
    binding,
    places,
    BatchSize(options.batchSize),
    origin
  )
  private val vector = new OnHeapColumnVector(16, binding.result)
  private var seen = 0L

  /** Score rows when their results are requested; only the rows of one run are in memory.
    *
    * @param rows each holds one value per input, in the signature's order
    * @return for each row one value per fetched output, then its reason, if there is such a column
    */
  def score(rows: Iterator[Seq[Any]]): Iterator[Seq[Any]] =
    Iterator.continually(rows.hasNext).takeWhile(identity).flatMap(_ => batch(rows))

  private def batch(rows: Iterator[Seq[Any]]): Seq[Seq[Any]] = {
    scorer.start(vector)
    var count = 0
    while (rows.hasNext && count < BatchSize.MaxRows && !scorer.hasRun && !scorer.isFull) {
      val row = rows.next()
      checkSize(row, seen + count)
      try scorer.add(toRow(row))
      catch { case problem: RowProblem => scorer.reject(problem) }
      count += 1
    }
    scorer.finish()
    seen += count
    val results = new ColumnarBatch(Array[ColumnVector](vector), count)
    (0 until count).map(index => values(results, index))
  }

  /** Only this may come from another thread, so the vector is left to the garbage collector. */
  override def close(): Unit = scorer.close()

  private def checkSize(row: Seq[Any], number: Long): Unit =
    if (row.size != inputs.size)
      throw new BindingException(
        Explain(
          s"Signature '${signature.name}' takes another number of values.",
          expected = signature.inputs.mkString("; "),
          found = s"${row.size} values in row $number"
        )
      )

  private def toRow(row: Seq[Any]): GenericInternalRow =
    new GenericInternalRow(inputs.zip(row).map { case (spec, value) =>
      RowValues.toRow(spec, value)
    }.toArray[Any])

  private def values(results: ColumnarBatch, index: Int): Seq[Any] = {
    val row = results.getRow(index)
    binding.result match {
      case several: StructType if binding.isStruct =>
        val struct = row.getStruct(0, several.size)
        several.fields.toSeq.zipWithIndex.map { case (field, at) =>
          if (struct.isNullAt(at)) null
          else RowValues.fromRow(field.dataType, struct.get(at, field.dataType))
        }
      case one => Seq(if (row.isNullAt(0)) null else RowValues.fromRow(one, row.get(0, one)))
    }
  }
}
