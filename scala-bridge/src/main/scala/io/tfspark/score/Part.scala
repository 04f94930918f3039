package io.tfspark.score

import io.tfspark.engine.NativeTensor
import io.tfspark.tensor._

/** Some consecutive rows of a group.
  *
  * @param standIns row of the group → the row that is fed in its place
  */
final private[score] case class Part(
    group: Group,
    from: Int,
    until: Int,
    standIns: Map[Int, Int] = Map.empty
) {

  def size: Int = until - from

  /** The position in the batch of row number `index`. */
  def row(index: Int): Int = group.row(from + index)

  /** Whether another row is fed in the place of row number `index`. */
  def isReplaced(index: Int): Boolean = standIns.contains(from + index)

  /** The rows from one number to another. */
  def slice(start: Int, stop: Int): Part = copy(from = from + start, until = from + stop)

  def halves: Seq[Part] = Seq(slice(0, size / 2), slice(size / 2, size))

  /** The same rows, where row number `other` is fed in the place of some. */
  def replacing(rows: Set[Int], other: Int): Part =
    copy(standIns = rows.map(row => (from + row) -> (from + other)).toMap)

  /** The tensor of an input, with the last row repeated up to `rows`; without a number of rows, the
    * value of one row.
    */
  def tensor(input: Int, rows: Option[Int]): NativeTensor = {
    val dtype = group.inputs(input).dtype
    val perRow = group.rowSize(input)
    val isSingle = group.isSingle(input)
    val lead = if (isSingle) None else rows
    val shape = lead.map(_.toLong).toSeq ++ group.shapes(input).map(_.toLong)
    val (from, size) = if (isSingle) (0, 1) else (this.from, this.size)
    val own = group.elements(input)
    val elements = if (isSingle || standIns.isEmpty) own else own.replacing(standIns, perRow)
    elements match {
      case fixed: FixedElements =>
        val width = perRow * dtype.width
        val (base, offset) = fixed.place
        NativeTensor.numbers(dtype, shape, base, offset + from.toLong * width, size * width)
      case strings: StringElements =>
        val start = from * perRow
        NativeTensor.strings(
          dtype,
          shape,
          strings.array,
          index => strings.end(start + index),
          size * perRow,
          perRow
        )
    }
  }
}
