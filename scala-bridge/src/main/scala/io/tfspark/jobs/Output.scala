package io.tfspark.jobs

import com.fasterxml.jackson.databind.node.ObjectNode
import io.tfspark.error._
import io.tfspark.jobs.commit.{JobKey, Journal}
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.{DataFrame, SparkSession}
import org.apache.spark.sql.types._

/** A transaction: all of its rows are published, or none. Driver. */
private[jobs] trait Transaction {

  /** Lock out other jobs, and finish or remove the work of dead jobs.
    *
    * @return the record of this job if it is already done; then nothing is staged
    */
  def begin(job: JobKey): Option[Journal]

  /** Publish the staged rows.
    *
    * @param account the report for later starts of this job
    */
  def publish(account: ObjectNode): Unit

  /** End the job, after it has reported to its caller. */
  def acknowledge(): Unit

  /** Let other jobs in, and remove staged files that are not published, if any. */
  def discard(): Unit
}

/** A target: a folder or a table, into which the rows of a job are staged. Driver.
  *
  * A job that fails or is killed before `publish` does not change the target.
  */
private[jobs] trait Output extends Transaction {

  /** The folder of the published rows; none where it is not known. */
  def place: Option[Path]

  /** Whether another job is working, or has left files for `begin`. */
  def hasLeftover: Boolean

  /** Whether the rows of this job are published, or its next start will publish them. */
  def isDecided: Boolean

  /** Raise when the mode forbids the existing target; called before any write.
    *
    * @param inputs paths that the job reads; a job must not change them
    */
  def check(inputs: Seq[String]): Unit

  /** Raise when writing the target would change rows that the job reads. */
  def checkSources(sources: Seq[Source]): Unit

  /** Raise when a query was planned with other files of the target than it has now; called after
    * `begin`.
    *
    * @param planned the sources of the query
    * @param read plans the query again
    */
  def refuseStale(planned: Seq[Source], read: => DataFrame): Unit = ()

  /** Whether a job may overwrite the target with rows of the target. */
  def keepsReplacedRows: Boolean = false

  /** Whether the target can record that the run with an id is done. */
  def recordsRuns: Boolean

  /** Whether an earlier run of a job has published its rows here, or may have; called after
    * `begin`.
    */
  def mayHavePublished(job: JobKey): Boolean

  /** Raise when the target cannot take rows of a schema. */
  def checkColumns(schema: StructType): Unit

  /** Run the job and stage its rows. */
  def stage(rows: DataFrame): Unit
}

private[jobs] object Output {

  /** Formats of tables that Spark keeps as folders of files; a temporary view has none. */
  private val ofFiles = Set("", "parquet", "orc", "csv", "json", "avro", "text", "xml", "hive")

  /** The output of a target; staged names contain `run`. */
  def of(spark: SparkSession, target: Dataset, mode: String, run: String): Output =
    target.table match {
      case None => PathOutput.at(spark, target, mode, run)
      case Some(text) =>
        val name = TableName.of(spark, text)
        if (name.catalog.isDefined || !isOfFiles(spark, name, target))
          new CatalogOutput(spark, target, mode, name)
        else TableOutput.of(spark, target, mode, run, name)
    }

  private def isOfFiles(spark: SparkSession, name: TableName, target: Dataset): Boolean = {
    val catalog = new OwnCatalog(spark)
    ofFiles(if (catalog.has(name.quoted)) catalog.providerOf(name.quoted) else target.format)
  }

  val chooseColumns: String = "choose columns with --keep and name predictions with --fetch."

  def alreadyThere(target: Dataset): OutputExistsException =
    new OutputExistsException(
      Explain(
        s"The output already exists: $target.",
        expected = "no existing output in mode error",
        hint = "choose another output, or --mode overwrite, or --mode append."
      )
    )

  /** Refuse rows whose columns differ from the target's; a table may have wider types. */
  def checkSame(
      target: Dataset,
      there: StructType,
      rows: StructType,
      ordered: Boolean,
      hint: String = chooseColumns
  ): Unit = {
    val folders = target.partitionBy.map(_.toLowerCase).toSet // their columns come last
    def names(schema: StructType) = schema.fieldNames.map(_.toLowerCase).filterNot(folders).toSeq
    val types = rows.fields.map(field => field.name.toLowerCase -> field.dataType).toMap
    val changed = there.fields.exists(field =>
      types.get(field.name.toLowerCase).exists(!takes(field.dataType, _, target.table.isDefined))
    )
    val differ =
      if (ordered) names(there) != names(rows) else names(there).sorted != names(rows).sorted
    val dropped = if (target.table.isEmpty) "" else " To give a table other columns, drop it first."
    val cast = if (changed) " To convert values, use CAST in a SQL job." else ""
    if (changed || differ)
      throw new BindingException(
        Explain(
          s"The rows do not have the columns of the $target.",
          expected = describe(there),
          found = describe(rows),
          hint = s"$hint$dropped$cast"
        )
      )
  }

  /** Whether a column of one type holds all values of another type unchanged.
    *
    * Spark's store assignment rounds decimals, takes the date of a timestamp and binds fields of
    * structs by position, all without an error.
    */
  private def takes(column: DataType, values: DataType, mayWiden: Boolean): Boolean =
    (column, values) match {
      case (_, NullType) | (NullType, _) => true
      case (ArrayType(one, _), ArrayType(other, _)) => takes(one, other, mayWiden)
      case (MapType(key, value, _), MapType(otherKey, otherValue, _)) =>
        takes(key, otherKey, mayWiden) && takes(value, otherValue, mayWiden)
      case (StructType(fields), StructType(others)) =>
        fields.length == others.length && fields.zip(others).forall { case (one, other) =>
          one.name.equalsIgnoreCase(other.name) && takes(one.dataType, other.dataType, mayWiden)
        }
      case (one, other) if one == other => true
      case _ if !mayWiden => false
      case (_: StringType, _: StringType) => true
      case (one: DecimalType, other: DecimalType) =>
        one.scale >= other.scale && one.precision - one.scale >= other.precision - other.scale
      // Spark stores an interval as months or as microseconds; its type only names the units.
      case (one: DayTimeIntervalType, other: DayTimeIntervalType) => one.endField >= other.endField
      case (one: YearMonthIntervalType, other: YearMonthIntervalType) =>
        one.endField >= other.endField
      case (one: DecimalType, other) => digits.get(other).exists(one.precision - one.scale >= _)
      case (one, other: DecimalType) if other.scale == 0 =>
        digits.get(one).exists(other.precision < _)
      case _ => wider.get(column).exists(_.contains(values))
    }

  /** Type → the types whose values it holds without a change. */
  private val wider: Map[DataType, Set[DataType]] = Map(
    ShortType -> Set(ByteType),
    IntegerType -> Set(ByteType, ShortType),
    LongType -> Set(ByteType, ShortType, IntegerType),
    FloatType -> Set(ByteType, ShortType),
    DoubleType -> Set(ByteType, ShortType, IntegerType, FloatType),
    TimestampType -> Set(DateType, TimestampNTZType),
    TimestampNTZType -> Set(DateType)
  )

  private val digits: Map[DataType, Int] =
    Map(ByteType -> 3, ShortType -> 5, IntegerType -> 10, LongType -> 19)

  def describe(schema: StructType): String =
    schema.fields.map(field => s"${field.name} ${field.dataType.catalogString}").mkString(", ")
}
