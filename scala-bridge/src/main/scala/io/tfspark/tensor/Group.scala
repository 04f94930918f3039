package io.tfspark.tensor

import io.tfspark.model._
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters

/** Rows of equal input shapes, ready to be fed. Executor, one thread.
  *
  * An input without a dimension for rows has the same value in all of them.
  *
  * @param shapes the row shape of each input
  */
final class Group private[tensor] (
    val inputs: Seq[InputBinding],
    val shapes: Seq[Seq[Int]],
    places: Seq[Seq[ColumnPlace]]
) {
  private[tensor] val readers = inputs.zip(places).map { case (input, columns) =>
    new InputReader(
      input,
      columns,
      Elements.of(input.dtype)
    )
  }.toArray
  private val rowSizes = shapes.map(_.product).toArray
  private var indices = new Array[Int](1 << 4)
  private var count = 0

  /** How many rows there are. */
  def size: Int = count

  /** The position in the batch of a row of the group. */
  def row(index: Int): Int = indices(index)

  /** The elements of an input. */
  def elements(input: Int): Elements = readers(input).elements

  /** Bytes of all inputs. */
  def bytes: Long = readers.map(_.elements.bytes).sum

  /** Whether an input has one value for all rows. */
  def isSingle(input: Int): Boolean = readers(input).isSingle

  /** Elements of one row of an input. */
  def rowSize(input: Int): Int = rowSizes(input)

  /** Copy a row that its readers have loaded; one value of an input that all rows share. */
  private[tensor] def add(row: SpecializedGetters, index: Int): Unit = {
    try write(row)
    catch {
      case problem: RowProblem =>
        removePartOfRow()
        throw problem
    }
    claim(index, 1)
  }

  private def write(row: SpecializedGetters): Unit = {
    var input = 0
    while (input < readers.length) {
      if (count == 0 || !readers(input).isSingle) readers(input).write(row)
      input += 1
    }
  }

  /** Remove the part of a row that was written before one of its values was refused. */
  private def removePartOfRow(): Unit = readers.indices.foreach { input =>
    val rows = if (isSingle(input)) math.min(count, 1) else count
    readers(input).elements.keep(rows * rowSizes(input))
  }

  /** Add rows of the only input if their elements are contiguous and fit; returns whether they do.
    */
  private[tensor] def addAll(bulk: BulkColumn, first: Int, rows: Int): Boolean = {
    val isTaken = readers.head.elements match {
      case fixed: FixedElements =>
        try bulk.appendTo(fixed, first, rows, shapes.head)
        catch {
          case _: RowProblem =>
            removePartOfRow()
            false
        }
      case _: StringElements => false
    }
    if (isTaken) claim(first, rows)
    isTaken
  }

  private[tensor] def clear(): Unit = {
    readers.foreach(_.elements.clear())
    count = 0
  }

  private def claim(first: Int, rows: Int): Unit = {
    if (count + rows > indices.length)
      indices = java.util.Arrays.copyOf(indices, math.max(count + rows, indices.length * 2))
    var row = 0
    while (row < rows) {
      indices(count + row) = first + row
      row += 1
    }
    count += rows
  }
}
