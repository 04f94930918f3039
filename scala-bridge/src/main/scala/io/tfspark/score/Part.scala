package io.tfspark.score

import io.tfspark.engine.NativeTensor
import io.tfspark.tensor._

/** Some consecutive rows of a group. */
final private[score] case class Part(group: Group, from: Int, until: Int) {

  def size: Int = until - from

  /** The place in the batch of row number `index`. */
  def row(index: Int): Int = group.row(from + index)

  def halves: Seq[Part] = {
    val middle = from + size / 2
    Seq(copy(until = middle), copy(from = middle))
  }

  /** The tensor of an input, with the last row repeated up to `rows`; of no number of rows, the
    * value of one.
    */
  def tensor(input: Int, rows: Option[Int]): NativeTensor = {
    val dtype = group.inputs(input).dtype
    val perRow = group.rowSize(input)
    val isSingle = group.isSingle(input)
    val lead = if (isSingle) None else rows
    val shape = lead.map(_.toLong).toSeq ++ group.shapes(input).map(_.toLong)
    val (from, size) = if (isSingle) (0, 1) else (this.from, this.size)
    group.elements(input) match {
      case fixed: FixedElements =>
        val width = perRow * dtype.width
        NativeTensor.numbers(dtype, shape, fixed.array, from * width, size * width)
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
