package io.tfspark.tensor

import io.tfspark.model._
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters

/** Reads one bound input from rows and checks that each row has its shape. Executor, one thread.
  *
  * Arrays may be nested like the tensor, or flat if the number of elements fits; scalar columns are
  * stacked.
  */
final private[tensor] class InputReader(
    input: InputBinding,
    places: Seq[ColumnPlace],
    val elements: Elements
) {
  private val readers = places.map(ColumnReader(_, input, elements)).toArray
  private val wanted: Option[Shape] = input.spec.rowShape
  private val size: Option[Long] = input.spec.rowSize
  private val depth = readers.head.depth
  private val isFlat = depth == 1 && wanted.exists(_.size > 1)

  /** The shape of every row, if it is known without reading rows. */
  val fixedShape: Option[Seq[Int]] =
    if (input.isStacked) Some(size.fold(Seq(places.size))(_ => known))
    else if (depth == 0) Some(wanted.fold(Seq.empty[Int])(_.map(_ => 1)))
    else size.map(_ => known)

  private val fixedSize: Long = size.getOrElse(0L)
  private val isMeasured = !input.isStacked && depth > 0

  /** Whether one value counts for all rows, because the input has no dimension for rows. */
  val isSingle: Boolean = !input.spec.isBatched

  private def known: Seq[Int] = wanted.fold(Seq.empty[Int])(_.flatten.map(_.toInt))

  /** Take a row; returns whether the input has no null at any depth. */
  def load(row: SpecializedGetters): Boolean = {
    var index = 0
    while (index < readers.length && readers(index).load(row)) index += 1
    index == readers.length
  }

  /** Refuse a row that does not have the one shape of all rows. */
  def check(): Unit =
    if (isMeasured) {
      if (isFlat || depth == 1) {
        val count = readers.head.length
        if (count != fixedSize) check(Seq(count), Seq(size))
      } else check(readers.head.shape, wanted.getOrElse(Nil))
    }

  /** The shape of the row, checked against the signature. */
  def shape: Seq[Int] =
    if (fixedShape.isDefined) {
      check()
      fixedShape.getOrElse(Nil)
    } else {
      val found = readers.head.shape
      wanted.foreach(check(found, _))
      // An empty outer list has no inner one to show its length.
      found.zip(wanted.getOrElse(found.map(_ => None))).map { case (one, fixed) =>
        fixed.fold(one)(_.toInt)
      }
    }

  /** Copy the elements of the row. */
  def write(row: SpecializedGetters): Unit = {
    var index = 0
    while (index < readers.length) {
      readers(index).write(row)
      index += 1
    }
  }

  private def check(found: Seq[Int], fixed: Shape): Unit = {
    val wrong = found.indices.exists { axis =>
      fixed(axis).exists(_ != found(axis)) && !found.take(axis).contains(0)
    }
    if (wrong) {
      val expected = TensorSpec.format(wanted.getOrElse(Nil))
      val shown = TensorSpec.format(found.map(one => Some(one.toLong)))
      throw new RowProblem(
        ReasonCode.WrongShape,
        places.head.name,
        s"expected a row of shape $expected, found $shown",
        readers.head.hint
      )
    }
  }
}
