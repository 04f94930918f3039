package io.tfspark.jobs

import io.tfspark.error._
import org.apache.spark.sql.{Column, DataFrame, Observation}
import org.apache.spark.sql.functions.{coalesce, col, count_if, lit}
import org.apache.spark.sql.types.{StringType, StructField}

/** Refuses rows that would be blank lines of a CSV file, which readers skip. Spark writes nothing
  * for a null. Driver.
  */
private[jobs] object BlankLines {

  /** What `trim` removes; with it, Spark's reader decides whether a line is blank. */
  private val blank = "[\\x00-\\x20]"

  /** Write rows, then refuse those that were written as blank lines.
    *
    * @param target the output, with the format, the options and the partitions of its files
    */
  def refusing(target: Dataset, rows: DataFrame)(write: DataFrame => Unit): Unit = {
    val fields =
      rows.schema.filterNot(field => target.partitionBy.exists(_.equalsIgnoreCase(field.name)))
    if (!mayBeBlank(target, fields.size)) write(rows)
    else {
      val watch = Observation()
      val isBlank = fields.map(isBlankIn(target, _)).reduce(_ && _)
      write(rows.observe(watch, count_if(isBlank).as("blanks")))
      val found = watch.get("blanks").asInstanceOf[Long]
      if (found > 0) throw lost(target, fields.map(_.name), found)
    }
  }

  private def mayBeBlank(target: Dataset, columns: Int): Boolean = {
    val named = target.option("sep").orElse(target.option("delimiter"))
    val separator = named.getOrElse(",").replace("\\t", "\t")
    val hasQuotes = target.option("quoteAll").exists(_.equalsIgnoreCase("true"))
    target.format == "csv" && !hasQuotes && (columns == 1 || separator.trim.isEmpty)
  }

  private def isBlankIn(target: Dataset, field: StructField): Column = {
    val column = col(TableName.quoted(Seq(field.name)))
    val isNull =
      if (target.option("nullValue").forall(_.trim.isEmpty)) column.isNull else lit(false)
    blankText(target).filter(_ => field.dataType == StringType).fold(isNull)(text =>
      isNull || coalesce(column.rlike(text), lit(false))
    )
  }

  /** A regular expression of the texts that are written as blanks. An empty text has quotes, and a
    * text of blanks is trimmed, but options of the writer change this.
    */
  private def blankText(target: Dataset): Option[String] = {
    val trims = Seq("ignoreLeadingWhiteSpace", "ignoreTrailingWhiteSpace").exists(name =>
      !target.option(name).exists(_.equalsIgnoreCase("false"))
    )
    if (target.option("emptyValue").exists(_.trim.isEmpty)) Some(s"^$blank*$$")
    else Option.unless(trims)(s"^$blank+$$")
  }

  private def lost(target: Dataset, names: Seq[String], found: Long): BindingException =
    new BindingException(Explain(
      s"Rows would be lost in $target: they are blank lines of CSV files, and readers skip them.",
      expected = s"another column besides ${Explain.listing(names)}, or values in all rows",
      found = s"$found such rows",
      hint = "write another column too, write parquet, or choose a text for null with " +
        "--output-option nullValue=NULL."
    ))
}
