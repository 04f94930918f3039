package io.tfspark.score

import java.util.concurrent.TimeUnit

import io.tfspark.engine.{NativeLibrary, NativeTensor}
import io.tfspark.model._
import org.apache.spark.sql.execution.vectorized.OnHeapColumnVector
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.Platform
import org.openjdk.jmh.annotations._

/** Measures decoding: a tensor in TensorFlow's memory → a column vector. Time per row. */
@State(Scope.Thread)
@BenchmarkMode(Array(Mode.AverageTime))
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
class DecodeBenchmark {
  import DecodeBenchmark._

  NativeLibrary.load()

  private val scores = new Column("float32", FloatType, numbers(rows))
  private val vectors = new Column("float32", ArrayType(FloatType), numbers(rows, 10))
  private val images = new Column("float32", ArrayType(FloatType), numbers(few, 3072))
  private val words = new Column("string", StringType, strings)

  @Benchmark @OperationsPerInvocation(rows) def vectorFloat(): OnHeapColumnVector = scores.decode()
  @Benchmark @OperationsPerInvocation(rows) def vectorArray10(): OnHeapColumnVector =
    vectors.decode()
  @Benchmark @OperationsPerInvocation(few) def vectorArray3072(): OnHeapColumnVector =
    images.decode()
  @Benchmark @OperationsPerInvocation(rows) def vectorString(): OnHeapColumnVector = words.decode()
}

private object DecodeBenchmark {
  final private val rows = 8192
  final private val few = 64

  final private class Column(dtype: String, kind: DataType, tensor: NativeTensor) {
    private val count = tensor.shape.head.toInt
    private val shape = None +: tensor.shape.drop(1).map(Option(_))
    private val decoder =
      new OutputDecoder(OutputBinding(TensorSpec("y", dtype, Some(shape), "y:0"), "y", kind), "")
    private val vector = new OnHeapColumnVector(count, kind)

    def decode(): OnHeapColumnVector = {
      vector.reset()
      decoder.decode(tensor, tensor.shape.drop(1), count, vector, row => row, inOrder = true)(
        (_, _) => ()
      ): Unit
      vector
    }
  }

  private def typeOf(name: String): DType = DType.of(name).getOrElse(sys.error(name))

  private def numbers(count: Int, perRow: Long*): NativeTensor = {
    val bytes = new Array[Byte](count * perRow.product.toInt * FloatType.defaultSize)
    val start = Platform.BYTE_ARRAY_OFFSET.toLong
    NativeTensor.numbers(typeOf("float32"), count.toLong +: perRow, bytes, start, bytes.length)
  }

  private def strings: NativeTensor = {
    val words = Array.tabulate(rows)(row => s"word number $row".getBytes)
    val starts = words.map(_.length).scanLeft(0)(_ + _)
    NativeTensor.strings(typeOf("string"), Seq(rows.toLong), words.flatten, starts(_), rows, 1)
  }
}
