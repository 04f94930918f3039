package io.tfspark.model

import java.util.Locale

import org.apache.spark.sql.types._

/** Binds outputs to columns, and explains why other outputs cannot be columns. Driver.
  *
  * @param rows the number of rows of a batch, if it is fixed
  */
final private[model] class OutputBinder(
    signature: Signature,
    options: BindingOptions,
    rows: Option[Long]
) {
  private val specs = signature.outputs

  /** Bind the outputs that are fetched.
    *
    * @param fetch output → column; by default, all outputs under their own names
    * @param taken names of the columns beside the predictions
    */
  def bind(
      fetch: Option[Seq[(String, String)]],
      taken: Seq[String]
  ): Seq[Either[String, OutputBinding]] = {
    val wanted = fetch.getOrElse(specs.map(spec => spec.name -> spec.name))
    val usable = specs.find(unusable(_).isEmpty).filter(_ => fetch.isEmpty).map(_.name)
    val leaveOut = usable.fold("")(name =>
      s"; or name the others, with ${options.terms.fetching(name, name)}"
    )
    val noOutput =
      Binding.unknown("fetch", "output", wanted.map(_._1), specs.map(_.name)).map(Left(_)) ++
        Option.when(wanted.isEmpty)(Left("fetch names no output"))
    val (_, bound) = wanted.foldLeft((taken, Vector.empty[Either[String, OutputBinding]])) {
      case ((used, done), (name, column)) =>
        specs.find(_.name == name) match {
          case None => (used, done)
          case Some(spec) =>
            val one = output(spec, column, used, leaveOut)
            (if (one.isRight) used :+ column else used, done :+ one)
        }
    }
    noOutput ++ bound
  }

  private def output(
      spec: TensorSpec,
      column: String,
      used: Seq[String],
      leaveOut: String
  ): Either[String, OutputBinding] = {
    val same = used.find(_.toLowerCase(Locale.ROOT) == column.toLowerCase(Locale.ROOT))
    val problem = unusable(spec).map(_ + leaveOut).orElse {
      val rename = options.terms.fetching(spec.name, s"${column}_new")
      same.map(other => s"there is already a column '$other'; rename it: $rename")
    }
    problem.map(found => s"output $spec: $found").toLeft(OutputBinding(
      spec,
      column,
      columnType(spec)
    ))
  }

  private def unusable(spec: TensorSpec): Option[String] =
    Binding.unusable(spec).orElse(withoutRows(spec))

  /** The reason why the first dimension of an output is not the rows, or is unknown. */
  private def withoutRows(spec: TensorSpec): Option[String] =
    if (spec.shape.isEmpty) {
      val option = options.terms.outputShapeOf(spec.name)
      Some(
        "its rank is unknown, so it has no column type; give the shape of one row, such as " +
          s"$option for one number"
      )
    } else if (!spec.isBatched)
      Some("it is a scalar without a dimension for the rows, so it cannot be a column")
    else
      spec.batchDimension.filterNot(rows.contains).map { size =>
        val found = s"its first dimension is always $size"
        if (size == 1)
          s"$found, so it fits only batches of one row: use ${options.terms.batchSize}"
        else s"$found, not the number of rows, so it cannot be a column"
      }

  private def columnType(spec: TensorSpec): DataType = {
    val element = DType.of(spec.dtype).fold[DataType](NullType)(_.sql)
    val read = if (element == StringType && options.binaryStrings) BinaryType else element
    DType.nested(read, spec.depth)
  }
}
