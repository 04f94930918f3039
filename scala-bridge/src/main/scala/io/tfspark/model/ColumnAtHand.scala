package io.tfspark.model

import org.apache.spark.sql.types._

/** A column of the input rows.
  *
  * @param form the form of its values; none when they cannot be fed
  * @param label the name of its type in messages
  */
final case class ColumnAtHand(name: String, form: Option[ColumnForm], label: String)

object ColumnAtHand {
  private val quoted = "`((?:[^`]|``)+)`".r

  /** A column of a Spark type. */
  def apply(name: String, sql: DataType): ColumnAtHand =
    ColumnAtHand(name, ColumnForm.of(sql), label(sql))

  /** The name of a type in messages; for a user-defined type its own name, not that of its SQL
    * type.
    */
  private def label(sql: DataType): String = ColumnForm.of(sql) match {
    case Some(ColumnForm.Vector) => "vector"
    case Some(ColumnForm.Matrix) => "matrix"
    case Some(ColumnForm.Image) => "image"
    case _ => sql match {
        case ArrayType(element, _) => s"array<${label(element)}>"
        case own: UserDefinedType[_] => own.simpleString
        case other => other.catalogString
      }
  }

  /** The columns of a schema; columns with equal names cannot be fed. */
  def of(schema: StructType): Seq[ColumnAtHand] = {
    val times = schema.fieldNames.groupBy(identity).view.mapValues(_.length).toMap
    schema.fields.toSeq.distinctBy(_.name).map { field =>
      if (times(field.name) > 1) ColumnAtHand(field.name, None, s"there ${times(field.name)} times")
      else ColumnAtHand(field.name, field.dataType)
    }
  }

  /** The column that a name means: the column with exactly this name, otherwise the only column
    * whose name differs only in case. A name may be quoted with backticks, as in Spark.
    */
  def resolve(name: String, columns: Seq[String], caseSensitive: Boolean): Option[String] =
    columns.find(_ == name).orElse {
      val bare = name match {
        case quoted(inner) => inner.replace("``", "`")
        case plain => plain
      }
      columns.find(_ == bare).orElse {
        Option.unless(caseSensitive)(columns.filter(_.equalsIgnoreCase(bare))).collect {
          case Seq(one) => one
        }
      }
    }
}
