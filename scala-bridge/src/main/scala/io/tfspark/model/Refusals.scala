package io.tfspark.model

/** Explains why a column of some type cannot feed an input, and which Spark function converts it.
  * Driver.
  */
private[model] object Refusals {

  /** The beginning of a Spark type, without its arrays → expression that converts such a column. */
  private val converted = Seq[(String, (String, String) => String)](
    "date" -> ((x, _) => s"unix_date($x)"),
    "timestamp" -> ((x, _) => s"unix_micros($x)"),
    "interval year" -> ((x, _) => s"extract(YEAR FROM $x), or another of its parts"),
    "interval month" -> ((x, _) => s"extract(MONTH FROM $x), or another of its parts"),
    "interval" -> ((x, _) => s"extract(DAY FROM $x), or another of its parts"),
    "time" -> ((x, _) => s"hour($x), minute($x) or second($x)"),
    "variant" -> ((x, wanted) => s"variant_get($x, '$$', '$wanted')"),
    "map" -> ((x, _) => s"$x['key'], or map_values($x)"),
    "struct" -> ((x, _) => s"one of its fields, such as $x.field")
  )

  /** Why a column cannot feed an input of a type, with the next step. */
  def apply(column: ColumnAtHand, dtype: DType, expected: String): String = {
    val kind = innermost(column.label)
    val isArray = kind != column.label
    val misfit = s"expected $expected, found column '${column.name}' of ${column.label}"
    if (kind.startsWith("binary") && dtype.kind != Kind.Bytes)
      s"$misfit. Encoded images (JPEG, PNG) are decoded inside the graph: export a signature that " +
        "takes strings and calls tf.io.decode_image; raw pixels feed an input of uint8"
    else
      converted.find { case (beginning, _) => kind.startsWith(beginning) } match {
        case Some((_, advice)) =>
          val way =
            if (isArray) s"transform(${column.name}, x -> ${advice("x", dtype.sqlName)})"
            else advice(column.name, dtype.sqlName)
          s"$misfit; use $way"
        case None if column.form.isEmpty =>
          s"column '${column.name}' is ${column.label} and cannot be fed; cast or rename it first"
        case None => misfit + cast(column.label, kind, dtype)
      }
  }

  private def innermost(label: String): String =
    if (label.startsWith("array<")) innermost(label.stripPrefix("array<").stripSuffix(">"))
    else label

  /** The conversion of one kind of scalar into another, if Spark has one. */
  private def cast(label: String, kind: String, dtype: DType): String = dtype.kind match {
    case Kind.Bool => if (kind == "string") "; cast it to boolean" else "; use column <> 0"
    case Kind.Bytes => "; cast it to string"
    case _ if kind == "string" =>
      val wanted = label.replace(kind, dtype.sqlName)
      s"; text is not read as numbers, so cast it: try_cast(column AS $wanted)"
    case _ => ""
  }
}
