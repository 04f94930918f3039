package io.tfspark.model

/** Explains why a column of some type cannot feed an input, and which Spark function converts it.
  * Driver.
  */
private[model] object Refusals {

  /** A Spark type, without its arrays, that a function converts.
    *
    * @param beginning the beginning of its name
    * @param value converts a column or an element into a type
    * @param advice what to use for a column, given its converted value
    */
  private case class Conversion(
      beginning: String,
      value: (String, String) => String,
      advice: (String, String) => String = (value, _) => value
  )

  private val ofParts = (value: String, _: String) => s"$value, or another of its parts"

  private val conversions = Seq(
    Conversion("date", (x, _) => s"unix_date($x)"),
    Conversion("timestamp", (x, _) => s"unix_micros($x)"),
    Conversion("interval year", (x, _) => s"extract(YEAR FROM $x)", ofParts),
    Conversion("interval month", (x, _) => s"extract(MONTH FROM $x)", ofParts),
    Conversion("interval", (x, _) => s"extract(DAY FROM $x)", ofParts),
    Conversion("time", (x, _) => s"hour($x)", (hour, x) => s"$hour, minute($x) or second($x)"),
    Conversion("variant", (x, wanted) => s"variant_get($x, '$$', '$wanted')"),
    Conversion("map", (x, _) => s"$x['key']", (value, x) => s"$value, or map_values($x)"),
    Conversion("struct", (x, _) => s"$x.field", (field, _) => s"one of its fields, such as $field")
  )

  private val times = Seq("date", "interval", "time")

  /** Why a column cannot feed an input of a type, with the next step. */
  def apply(column: ColumnAtHand, dtype: DType, expected: String): String = {
    val kind = innermost(column.label)
    val isArray = kind != column.label
    val misfit = s"expected $expected, found column '${column.name}' of ${column.label}"
    if (kind.startsWith("binary") && dtype.kind != Kind.Bytes)
      s"$misfit. Encoded images (JPEG, PNG) are decoded inside the graph: export a signature that " +
        "takes strings and calls tf.io.decode_image; raw pixels feed an input of uint8"
    else if (dtype.kind == Kind.Bytes && times.exists(kind.startsWith(_)))
      s"$misfit; cast it to ${column.label.replace(kind, dtype.sqlName)}"
    else
      conversions.find(one => kind.startsWith(one.beginning)) match {
        case Some(one) =>
          val way =
            if (isArray) s"transform(${column.name}, x -> ${one.value("x", dtype.sqlName)})"
            else one.advice(one.value(column.name, dtype.sqlName), column.name)
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
