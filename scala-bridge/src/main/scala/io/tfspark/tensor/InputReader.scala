package io.tfspark.tensor

import io.tfspark.model._
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters

/** Reads one bound input out of rows and checks that each row has its shape. Executor, one thread.
  *
  * Arrays are taken nested like the tensor, or flat when the number of elements fits; scalar
  * columns are stacked.
  */
final private[tensor] class InputReader(
    input: InputBinding,
    places: Seq[ColumnPlace],
    val elements: Elements
) {
  private val readers = places.map(new ColumnReader(_, input.dtype, elements)).toArray
  private val wanted: Option[Seq[Option[Long]]] = input.spec.rowShape
  private val size: Option[Long] = input.spec.rowSize
  private val depth = places.head.depth
  private val isFlat = depth == 1 && wanted.exists(_.size > 1)

  /** The shape of every row, where it is known without looking. */
  val fixedShape: Option[Seq[Int]] =
    if (input.isStacked) Some(size.fold(Seq(places.size))(_ => known))
    else if (depth == 0) Some(wanted.fold(Seq.empty[Int])(_.map(_ => 1)))
    else size.map(_ => known)

  private def known: Seq[Int] = wanted.fold(Seq.empty[Int])(_.flatten.map(_.toInt))

  def isNull(row: SpecializedGetters): Boolean = {
    var index = 0
    var found = false
    while (!found && index < readers.length) {
      found = readers(index).isNull(row)
      index += 1
    }
    found
  }

  /** The shape of a row, checked against the signature. */
  def shape(row: SpecializedGetters): Seq[Int] =
    if (input.isStacked || depth == 0) fixedShape.getOrElse(Nil)
    else if (isFlat) {
      check(Seq(readers.head.array(row).numElements()), Seq(size))
      known
    } else if (depth == 1 && size.isDefined) {
      val count = readers.head.array(row).numElements()
      if (!size.contains(count.toLong)) check(Seq(count), Seq(size))
      fixedShape.getOrElse(Nil)
    } else {
      val found = readers.head.shape(row)
      wanted.foreach(check(found, _))
      // An empty outer list has no inner one to show its length.
      found.zip(wanted.getOrElse(found.map(_ => None))).map { case (one, fixed) =>
        fixed.fold(one)(_.toInt)
      }
    }

  def write(row: SpecializedGetters): Unit = {
    var index = 0
    while (index < readers.length) {
      readers(index).write(row)
      index += 1
    }
  }

  private def check(found: Seq[Int], fixed: Seq[Option[Long]]): Unit = {
    val wrong = found.indices.exists { axis =>
      fixed(axis).exists(_ != found(axis)) && !found.take(axis).contains(0)
    }
    if (wrong) {
      val expected = TensorSpec.format(wanted.getOrElse(Nil))
      val shown = TensorSpec.format(found.map(one => Some(one.toLong)))
      throw new RowProblem(places.head.name, s"expected a row of shape $expected, found $shown")
    }
  }
}
