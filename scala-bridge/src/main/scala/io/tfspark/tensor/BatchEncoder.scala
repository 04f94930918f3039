package io.tfspark.tensor

import java.nio.ByteBuffer

import scala.collection.mutable

import io.tfspark.model._
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters

/** Encodes rows into groups that can be fed to a model. Executor, one thread.
  *
  * A row with an unfilled null in an input, at any depth, is in no group; a row that does not fit
  * raises `RowProblem`.
  *
  * @param places for each input, its columns
  */
final class BatchEncoder(inputs: Seq[InputBinding], places: Seq[Seq[ColumnPlace]]) {
  private val scouts = inputs.zip(places).map { case (input, columns) =>
    new InputReader(
      input,
      columns,
      Elements.of(input.dtype)
    )
  }.toArray
  private val singles = scouts.filter(_.isSingle)
  private val fixed: Option[Seq[Seq[Int]]] =
    Option.when(scouts.forall(_.fixedShape.isDefined))(scouts.toSeq.flatMap(_.fixedShape))
  private val only: Option[Group] =
    fixed.filter(_ => singles.isEmpty).map(new Group(inputs, _, places))
  private val others = mutable.LinkedHashMap.empty[BatchEncoder.Alike, Group]
  private val readers = only.fold(scouts)(_.readers)

  /** Bytes to feed per row, if all rows have the same size. */
  val rowBytes: Option[Long] = Option.when(inputs.forall(_.dtype.width > 0))(fixed).flatten.map {
    _.zip(inputs).map { case (shape, input) => shape.product.toLong * input.dtype.width }.sum
  }

  /** The groups that hold rows. */
  def groups: Seq[Group] = (only.toSeq ++ others.values).filter(_.size > 0)

  /** Bytes to feed. */
  def bytes: Long = only.fold(others.valuesIterator.map(_.bytes).sum)(_.bytes)

  /** Add a row; returns false if it has a null and is not fed.
    *
    * @param index the row's position in the batch
    */
  def add(row: SpecializedGetters, index: Int): Boolean = {
    var input = 0
    while (input < readers.length && readers(input).load(row)) input += 1
    val isFed = input == readers.length
    if (isFed) {
      if (only.isDefined) {
        input = 0
        while (input < readers.length) {
          readers(input).check()
          input += 1
        }
        only.foreach(_.add(row, index))
      } else {
        val alike =
          BatchEncoder.Alike(readers.toSeq.map(_.shape), singles.toSeq.map(valueOf(_, row)))
        val group = others.getOrElseUpdate(alike, new Group(inputs, alike.shapes, places))
        group.readers.foreach(_.load(row))
        group.add(row, index)
      }
    }
    isFed
  }

  /** Remove all rows. Groups of other shapes than the only one are removed too, so that they do not
    * accumulate.
    */
  def clear(): Unit = {
    only.foreach(_.clear())
    others.clear()
  }

  /** Add the rows of a single input at once if their elements are contiguous and fit; returns
    * whether they were added.
    */
  def addAll(bulk: BulkColumn, first: Int, rows: Int): Boolean =
    only.exists(_.addAll(bulk, first, rows))

  private def valueOf(single: InputReader, row: SpecializedGetters): ByteBuffer = {
    single.elements.clear()
    single.write(row)
    single.elements.copied
  }
}

private object BatchEncoder {

  /** The key of a group: the shapes of its rows, and the values of the inputs that have one value
    * for all rows.
    */
  final case class Alike(shapes: Seq[Seq[Int]], values: Seq[ByteBuffer])
}
