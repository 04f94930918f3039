package io.tfspark.tensor

import io.tfspark.model._
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters
import org.apache.spark.sql.types.{BinaryType, DataType, NullType}

/** The position of a fed column in a row, its name and its type. */
final case class ColumnPlace(name: String, ordinal: Int, sql: DataType)

/** Reads one column of rows: its nulls, the shape of its values, its elements. Executor, one
  * thread.
  */
private[tensor] trait ColumnReader {

  /** Levels of lists of each value. */
  def depth: Int

  /** Take the row's value; returns whether it can be fed. A null without a fill cannot. */
  def load(row: SpecializedGetters): Boolean

  /** The length of the outermost list. */
  def length: Int

  /** Lengths of the lists, level by level. */
  def shape: Seq[Int]

  /** Copy all elements of the row. */
  def write(row: SpecializedGetters): Unit

  /** The hint for a value of another shape, if it is not the usual hint. */
  def hint: String = ""
}

private[tensor] object ColumnReader {

  /** A reader of a column that feeds an input. */
  def apply(place: ColumnPlace, input: InputBinding, into: Elements): ColumnReader = {
    val reader = (ColumnForm.of(place.sql), into) match {
      case (Some(ColumnForm.Vector), fixed: FixedElements) =>
        new VectorReader(place, input.dtype, fixed)
      case (Some(ColumnForm.Matrix), fixed: FixedElements) =>
        new MatrixReader(place, input.dtype, fixed)
      case (Some(ColumnForm.Image), fixed: FixedElements) =>
        new ImageReader(place, input.dtype, fixed)
      case (Some(ColumnForm.Arrays(BinaryType, 0)), fixed: FixedElements) =>
        new BytesReader(place, fixed)
      case _ => ofArrays(place, input, into)
    }
    if (input.nulls.refuse) new Refusing(reader, place.name, input.nulls.option) else reader
  }

  private def ofArrays(place: ColumnPlace, input: InputBinding, into: Elements): ColumnReader = {
    val (element, depth) = DType.elementOf(place.sql)
    val leaf = LeafWriter(place.name, element, input.dtype, into)
    val filled = for {
      fill <- input.nulls.fill
      kind = if (element == NullType) input.dtype.sql else element
      value <- Fills.valueOf(fill, kind)
    } yield new LeafWriter.Filled(LeafWriter(place.name, kind, input.dtype, into), value)
    new ArrayReader(place, depth, filled.getOrElse(leaf), input.nulls)
  }

  /** Raises an error for a null, instead of leaving its row out. */
  final private class Refusing(reader: ColumnReader, name: String, option: String)
      extends ColumnReader {
    def depth: Int = reader.depth
    def length: Int = reader.length
    def shape: Seq[Int] = reader.shape
    def write(row: SpecializedGetters): Unit = reader.write(row)
    override def hint: String = reader.hint

    def load(row: SpecializedGetters): Boolean = {
      if (!reader.load(row))
        throw new RowProblem(ReasonCode.NullInput, name, s"a null, which $option refuses")
      true
    }
  }
}
