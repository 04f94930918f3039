package io.tfspark.tensor

import java.nio.ByteOrder

import io.tfspark.model._
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow
import org.apache.spark.sql.catalyst.util.GenericArrayData
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.types.UTF8String
import org.scalatest.funsuite.AnyFunSuite

/** Structs that represent tensors: Spark's vectors, matrices and images; also bytes of pixels. */
class StructReaderSuite extends AnyFunSuite {
  private val place = ColumnPlace("c", 0, NullType)
  private val double = DType.of("float64").get

  private def row(value: Any*): GenericInternalRow =
    new GenericInternalRow(Array[Any](new GenericInternalRow(value.toArray[Any])))

  private def array(values: Any*): GenericArrayData = new GenericArrayData(values.toArray[Any])

  private def doubles(elements: Elements): Seq[Double] = {
    val found = elements.copied.order(ByteOrder.nativeOrder).asDoubleBuffer
    (0 until found.remaining).map(found.get)
  }

  test("vectors are read dense and sparse") {
    val into = new FixedElements(8)
    val reader = new VectorReader(place, double, into)
    Seq(
      row(1.toByte, null, null, array(1d, 2d, 3d)),
      row(0.toByte, 4, array(1, 3), array(5d, 6d)),
      row(0.toByte, 2, array(), array())
    ).foreach { vector =>
      assert(reader.load(vector))
      reader.write(vector)
    }
    assert(doubles(into) == Seq(1, 2, 3, 0, 5, 0, 6, 0, 0))
    assert(reader.shape == Seq(2))
    assert(!reader.load(new GenericInternalRow(Array[Any](null))))
  }

  test("matrices are read row by row, dense and sparse, transposed or not") {
    // 1 0 2
    // 0 3 4
    Seq(
      row(1.toByte, 2, 3, null, null, array(1d, 0d, 0d, 3d, 2d, 4d), false),
      row(1.toByte, 2, 3, null, null, array(1d, 0d, 2d, 0d, 3d, 4d), true),
      row(0.toByte, 2, 3, array(0, 1, 2, 4), array(0, 1, 0, 1), array(1d, 3d, 2d, 4d), false),
      row(0.toByte, 2, 3, array(0, 2, 4), array(0, 2, 1, 2), array(1d, 2d, 3d, 4d), true)
    ).foreach { matrix =>
      val into = new FixedElements(8)
      val reader = new MatrixReader(place, double, into)
      assert(reader.load(matrix) && reader.shape == Seq(2, 3))
      reader.write(matrix)
      assert(doubles(into) == Seq(1, 0, 2, 0, 3, 4))
    }
  }

  private def image(height: Int, width: Int, channels: Int, bytes: Int*): GenericInternalRow =
    row(UTF8String.fromString("o"), height, width, channels, 16, bytes.map(_.toByte).toArray)

  private def pixels(dtype: String, image: GenericInternalRow): (Seq[Int], Seq[Byte]) = {
    val into = new FixedElements(DType.of(dtype).get.width)
    val reader = new ImageReader(place, DType.of(dtype).get, into)
    assert(reader.load(image))
    val shape = reader.shape
    reader.write(image)
    (shape, into.copied.array.toSeq)
  }

  test("an image leaves the order of OpenCV for that of TensorFlow") {
    assert(pixels("uint8", image(1, 2, 3, 1, 2, 3, 4, 5, 255)) ==
      (Seq(1, 2, 3) -> Seq[Byte](3, 2, 1, -1, 5, 4)))
    assert(pixels("uint8", image(1, 1, 4, 1, 2, 3, 4)) == (Seq(1, 1, 4) -> Seq[Byte](3, 2, 1, 4)))
    assert(pixels("uint8", image(2, 1, 1, 7, 8)) == (Seq(2, 1, 1) -> Seq[Byte](7, 8)))
    assert(pixels("int16", image(1, 1, 1, 200))._2 == Seq[Byte](-56, 0))
    val problem = intercept[RowProblem](pixels("uint8", image(-1, -1, -1))).problem
    assert(
      problem ==
        "expected an image of 1, 3 or 4 channels, found (height, width, channels) (-1, -1, -1) with 0 bytes"
    )
    assert(intercept[RowProblem](pixels("int8", image(1, 1, 1, 200))).problem ==
      "200 does not fit int8")
  }

  test("an image with a null in a field is not an image") {
    val bytes = Array[Byte](7)
    Seq(
      row(null, 1, 1, 1, 16, null) -> "(1, 1, 1) with 0 bytes",
      row(null, 1, null, 1, 16, bytes) -> "(1, 0, 1) with 1 bytes",
      row(null, null, null, null, null, null) -> "(0, 0, 0) with 0 bytes"
    ).foreach { case (image, found) =>
      val error = intercept[RowProblem](pixels("uint8", image))
      assert(error.code == ReasonCode.NotAnImage && error.problem.endsWith(found), error.problem)
    }
  }

  test("bytes are pixels where their number fits; of an encoded image the hint says so") {
    val spec = TensorSpec("x", "uint8", Some(Seq(None, Some(2L), Some(2L))), "x:0")
    val rows = new BatchEncoder(
      Seq(InputBinding(spec, Seq("c"))),
      Seq(Seq(ColumnPlace("c", 0, BinaryType)))
    )
    def add(bytes: Array[Byte]) = rows.add(new GenericInternalRow(Array[Any](bytes)), 0)
    assert(add(Array[Byte](1, 2, 3, -1)))
    assert(rows.groups.head.elements(0).copied.array.toSeq == Seq[Byte](1, 2, 3, -1))
    val png = intercept[RowProblem](add(Array[Byte](0x89.toByte, 'P', 'N', 'G', 0)))
    assert(png.problem == "expected a row of shape (2, 2), found (5,)")
    assert(png.hint.contains("an encoded image"))
    assert(intercept[RowProblem](add(Array[Byte](1))).hint.isEmpty)
  }
}
