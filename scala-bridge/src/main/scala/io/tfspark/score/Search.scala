package io.tfspark.score

import scala.annotation.tailrec
import scala.collection.mutable

/** The search for the rows of a batch that a model refuses. Executor, one thread.
  *
  * The batch is halved, with at most 2·log2(rows) runs for each refused row; the run that first
  * failed does not count. The other rows are scored in a batch of the same size, in which a good
  * row stands in the place of each refused one: the kernels, and so all bits of the results, are
  * those of a clean run. `tfspark/bisection.py` is the same search.
  *
  * @param size rows of the batch
  * @param attempt runs the rows from one position to another and drops the results; returns what
  *   the model says if it refuses
  * @param score runs the batch with a row in the place of some and keeps the results of the others;
  *   returns what the model says if it refuses
  */
final private[score] class Search[E](
    size: Int,
    attempt: (Int, Int) => Option[E],
    score: (Set[Int], Int) => Option[E]
) {
  private val refused = mutable.TreeMap.empty[Int, E]
  private val open = mutable.Stack.empty[(Int, Int)]

  /** Find the refused rows, and score the others.
    *
    * Most failing batches have only one such row. So when the halving finds a row, it is assumed to
    * be the only one; the run that scores the others confirms this or not.
    *
    * @param error what the model said of the whole batch
    * @return position of a refused row → what the model said of it; empty when the batch fails only
    *   as a whole
    */
  def refusedRows(error: E): Map[Int, E] = {
    val suspect = descend(0, size, error, None)
    if (!areOthersScored && !areAllRefused) {
      suspect.foreach { row =>
        refused.remove(row): Unit
        open.push((row, row + 1))
      }
      while (open.nonEmpty) {
        val (start, stop) = open.pop()
        attempt(start, stop).foreach(follow(start, stop, _))
      }
      if (!areOthersScored && !areAllRefused) refused.clear()
    }
    refused.toMap
  }

  private def areAllRefused: Boolean = refused.size == size

  /** Find one refused row of a failing part; confirm a row that was not run alone. */
  private def follow(start: Int, stop: Int, error: E): Unit =
    descend(start, stop, error, None)
      .filter(row => attempt(row, row + 1).isEmpty)
      .foreach(refused.remove(_): Unit)

  /** Halve a failing part until one row is left; the halves that were not run stay open.
    *
    * @return the row if it was not run alone, but found because the rows beside it work
    */
  @tailrec
  private def descend(start: Int, stop: Int, error: E, suspect: Option[Int]): Option[Int] =
    if (stop - start == 1) {
      refused(start) = error
      suspect
    } else {
      val middle = (start + stop) / 2
      attempt(start, middle) match {
        case None => descend(middle, stop, error, Some(middle))
        case Some(found) =>
          open.push((middle, stop))
          descend(start, middle, found, None)
      }
    }

  /** Score the batch with another row in place of each refused one; returns whether it works. */
  private def areOthersScored: Boolean =
    refused.nonEmpty && (0 until size).find(!refused.contains(_)).exists { good =>
      score(refused.keySet.toSet, good).isEmpty
    }
}
