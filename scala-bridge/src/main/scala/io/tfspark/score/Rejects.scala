package io.tfspark.score

import java.nio.charset.StandardCharsets.UTF_8

import scala.collection.mutable

import io.tfspark.error._
import io.tfspark.model.OnError
import io.tfspark.tensor.RowProblem
import org.apache.spark.sql.execution.vectorized.WritableColumnVector

/** The bad rows of a batch: the first ends the scoring, or all are set aside. Executor, one thread.
  */
final private[score] class Rejects(onError: OnError, origin: Origin) {
  private val problems = mutable.LinkedHashMap.empty[Int, RowProblem]

  /** Whether bad rows are set aside. */
  val areAllowed: Boolean = onError != OnError.Raise

  /** Forget all rows. */
  def clear(): Unit = problems.clear()

  /** Set a row aside, or raise its error; the first problem of a row counts.
    *
    * @param index the place of the row in the batch
    * @param first number in the partition of the first row of the batch
    */
  def add(problem: RowProblem, index: Int, first: Long): Unit = {
    if (!areAllowed) throw rowError(problem, first + index)
    problems.getOrElseUpdate(index, problem): Unit
  }

  /** Give the rows null outputs, and all rows of the batch their reasons.
    *
    * @param rows the number of rows in the batch
    */
  def write(
      rows: Int,
      outputs: Seq[WritableColumnVector],
      reason: Option[WritableColumnVector]
  ): Unit = {
    problems.keysIterator.foreach(index => outputs.foreach(_.putNull(index)))
    reason.foreach { struct =>
      struct.putNulls(0, rows)
      problems.foreach { case (index, problem) =>
        struct.putNotNull(index)
        putText(struct.getChild(0), index, problem.code.text)
        putText(struct.getChild(1), index, problem.column)
        putText(struct.getChild(2), index, ForeignText.lines(problem.problem))
      }
    }
  }

  private def putText(vector: WritableColumnVector, index: Int, text: String): Unit =
    if (text.isEmpty) vector.putNull(index)
    else vector.putByteArray(index, text.getBytes(UTF_8)): Unit

  private def rowError(problem: RowProblem, row: Long): RowException = {
    val hint = if (problem.hint.isEmpty) Rejects.fix else problem.hint
    val place = origin.ofRow(row, s"column '${problem.column}', ")
    val words = origin.rows.inWords(row)
    new RowException(Explain(s"$place: ${problem.problem}$words", hint = hint))
  }
}

private[score] object Rejects {

  /** The usual hint. */
  val fix: String = "fix the row or filter it out."
}
