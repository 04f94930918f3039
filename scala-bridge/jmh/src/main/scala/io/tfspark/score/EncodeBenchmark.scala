package io.tfspark.score

import java.util.concurrent.TimeUnit

import io.tfspark.model.TensorSpec
import org.apache.spark.sql.catalyst.util.GenericArrayData
import org.apache.spark.sql.execution.vectorized.OnHeapColumnVector
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.types.UTF8String
import org.openjdk.jmh.annotations._

/** Measures encoding: rows, or a whole column → a tensor in TensorFlow's memory. Time per row. */
@State(Scope.Thread)
@BenchmarkMode(Array(Mode.AverageTime))
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
class EncodeBenchmark {
  import EncodeBenchmark._

  private val pairs = new RowFeed(vector(2), arrays, many)(row => Seq(floats(row, 2)))
  private val images = new RowFeed(vector(3072), arrays, few)(row => Seq(floats(row, 3072)))
  private val doubles =
    new RowFeed(vector(3072), StructType.fromDDL("x array<double>"), few)(row =>
      Seq(new GenericArrayData(Array.tabulate(3072)(at => (row + at).toDouble)))
    )
  private val words =
    new RowFeed(text, StructType.fromDDL("x string"), many)(row =>
      Seq(UTF8String.fromString(s"word number $row"))
    )
  private val scalars =
    new RowFeed(vector(200), StructType.fromDDL(columns(200)), several)(row =>
      Seq.tabulate(200)(at => (row + at).toFloat)
    )
  private val pairColumn = new ColumnFeed(vector(2), filled(many, 2), many)
  private val imageColumn = new ColumnFeed(vector(3072), filled(few, 3072), few)
  private val doubleColumn = new ColumnFeed(vector(3072), filled(few, 3072, DoubleType), few)

  @Benchmark @OperationsPerInvocation(many) def rowsArray2(): Long = pairs.encode()
  @Benchmark @OperationsPerInvocation(few) def rowsArray3072(): Long = images.encode()
  @Benchmark @OperationsPerInvocation(many) def rowsString(): Long = words.encode()
  @Benchmark @OperationsPerInvocation(several) def rowsScalars200(): Long = scalars.encode()
  @Benchmark @OperationsPerInvocation(many) def columnArray2(): Long = pairColumn.encode()
  @Benchmark @OperationsPerInvocation(few) def columnArray3072(): Long = imageColumn.encode()
  @Benchmark @OperationsPerInvocation(few) def rowsDoubles3072(): Long = doubles.encode()
  @Benchmark @OperationsPerInvocation(few) def columnDoubles3072(): Long = doubleColumn.encode()
}

private object EncodeBenchmark {
  // Rows of about one run of a model each.
  final private val many = 8192
  final private val several = 1024
  final private val few = 64

  private val arrays = StructType.fromDDL("x array<float>")
  private val text = TensorSpec("x", "string", Some(Seq(None)), "x:0")

  private def vector(size: Long): TensorSpec =
    TensorSpec("x", "float32", Some(Seq(None, Some(size))), "x:0")

  private def columns(count: Int): String =
    Seq.tabulate(count)(at => s"x$at float").mkString(", ")

  private def floats(row: Int, size: Int): GenericArrayData =
    new GenericArrayData(Array.tabulate(size)(at => (row + at).toFloat))

  /** A column of arrays as the Parquet reader returns it. */
  private def filled(rows: Int, size: Int, kind: DataType = FloatType): OnHeapColumnVector = {
    val vector = new OnHeapColumnVector(rows, ArrayType(kind))
    val elements = vector.arrayData()
    elements.reserve(rows * size)
    (0 until rows * size).foreach { at =>
      if (kind == DoubleType) elements.putDouble(at, at.toDouble)
      else elements.putFloat(at, at.toFloat)
    }
    (0 until rows).foreach(row => vector.putArray(row, row * size, size))
    vector
  }
}
