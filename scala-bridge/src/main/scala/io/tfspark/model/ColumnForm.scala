package io.tfspark.model

import java.util.Locale

import org.apache.spark.sql.types._

/** The form of a column's values: elements of one type, nested in a number of lists.
  *
  * Three kinds of structs are read as lists: Spark ML's vectors and matrices, and Spark's images.
  */
sealed trait ColumnForm {

  /** The type of the elements. */
  def element: DataType

  /** Levels of lists. */
  def depth: Int

  /** The conversion of the elements to those of a tensor; none when there is no conversion. */
  def conversion(to: DType): Option[Conversion] = DType.conversion(element, to)
}

object ColumnForm {

  /** A scalar, or arrays of scalars. */
  final case class Arrays(element: DataType, depth: Int) extends ColumnForm

  /** A dense or sparse vector of Spark ML. */
  case object Vector extends ColumnForm {
    val element: DataType = DoubleType
    val depth: Int = 1
  }

  /** A dense or sparse matrix of Spark ML. */
  case object Matrix extends ColumnForm {
    val element: DataType = DoubleType
    val depth: Int = 2
  }

  /** Spark's image: height, width and channels of unsigned bytes. */
  case object Image extends ColumnForm {
    val element: DataType = ShortType
    val depth: Int = 3

    override def conversion(to: DType): Option[Conversion] = to.kind match {
      case Kind.Floating => Some(Conversion.Widen)
      case Kind.Integral(false) if to.width == 1 => Some(Conversion.Exact)
      case Kind.Integral(true) if to.width == 1 => Some(Conversion.Check)
      case _: Kind.Integral => Some(Conversion.Widen)
      case _ => None
    }
  }

  private val vectors =
    Set("org.apache.spark.ml.linalg.VectorUDT", "org.apache.spark.mllib.linalg.VectorUDT")
  private val matrices =
    Set("org.apache.spark.ml.linalg.MatrixUDT", "org.apache.spark.mllib.linalg.MatrixUDT")
  private val image = Seq("origin", "height", "width", "nchannels", "mode", "data")

  /** The form of a column of a Spark type; none when no model can be fed with it. */
  def of(sql: DataType): Option[ColumnForm] = sql match {
    case own: UserDefinedType[_] if vectors(own.getClass.getName) => Some(Vector)
    case own: UserDefinedType[_] if matrices(own.getClass.getName) => Some(Matrix)
    case struct: StructType if isImage(struct) => Some(Image)
    case _ =>
      val (element, depth) = DType.elementOf(sql)
      Option.when(isFeedable(element))(Arrays(element, depth))
  }

  /** Whether a struct has the fields of Spark's image source; Hive writes their names in lower
    * case.
    */
  private def isImage(struct: StructType): Boolean =
    struct.fieldNames.map(
      _.toLowerCase(Locale.ROOT)
    ).toSeq == image && struct.fields.map(_.dataType).toSeq.zip(
      Seq(StringType, IntegerType, IntegerType, IntegerType, IntegerType, BinaryType)
    ).forall { case (found, wanted) => found == wanted }

  private def isFeedable(element: DataType): Boolean = element match {
    case _: StringType | BinaryType | BooleanType | FloatType | DoubleType | NullType => true
    case ByteType | ShortType | IntegerType | LongType | _: DecimalType => true
    case _ => false
  }
}
