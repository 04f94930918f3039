package io.tfspark.jobs

import com.fasterxml.jackson.databind.node.ObjectNode
import io.tfspark.error._
import io.tfspark.jobs.commit.{JobKey, Journal}
import org.apache.spark.sql.{DataFrame, SparkSession}
import org.apache.spark.sql.types._

/** A target that is written aside, then shown: the output of a job appears whole, or not at all.
  * Driver.
  *
  * A job that fails or is killed before `publish` leaves the target as it was.
  */
private[jobs] trait Output {

  /** Raise when the mode forbids what is there, before anything is written.
    *
    * @param inputs paths that the job reads; an output that is overwritten must not hold them
    */
  def check(inputs: Seq[String]): Unit

  /** Raise when rows of a schema cannot be written or appended. */
  def checkColumns(schema: StructType): Unit

  /** Keep other jobs away, and finish or remove what dead ones left.
    *
    * @return the record of this very job when it is done: then nothing is staged
    */
  def begin(job: JobKey): Option[Journal]

  /** Run the job and write its rows aside. */
  def stage(rows: DataFrame): Unit

  /** Show what was staged.
    *
    * @param account what a later start of this job is told of it
    */
  def publish(account: ObjectNode): Unit

  /** End the job, after its caller was told that it is done. */
  def acknowledge(): Unit

  /** Let other jobs in, and remove what was staged and not shown; fine when nothing is. */
  def discard(): Unit
}

private[jobs] object Output {

  /** The output of a target; `run` makes the names of this run its own. */
  def of(spark: SparkSession, target: Dataset, mode: String, run: String): Output =
    if (target.table.isDefined) new TableOutput(spark, target, mode, run)
    else new PathOutput(spark, target, mode, run)

  def alreadyThere(target: Dataset): OutputExistsException =
    new OutputExistsException(
      Explain(
        s"The output exists: $target.",
        expected = "nothing there in mode error",
        hint = "choose another output, or --mode overwrite, or --mode append."
      )
    )

  /** Put the new in the place of the old; bring the old back when that fails. */
  def replace(exists: Boolean)(retire: => Unit)(show: => Unit)(restore: => Unit)
      : Unit =
    if (!exists) show
    else {
      retire
      try show
      catch {
        case error: Throwable =>
          restore
          throw error
      }
    }

  /** Refuse to append rows whose columns are not those that are there. */
  def checkSame(
      target: Dataset,
      there: StructType,
      rows: StructType,
      ordered: Boolean
  ): Unit = {
    def names(schema: StructType) = schema.fieldNames.map(_.toLowerCase).toSeq
    def plain(kind: DataType): Boolean = kind match {
      case ArrayType(element, _) => plain(element)
      case StringType | BinaryType | BooleanType => true
      case other => other.isInstanceOf[NumericType] && !other.isInstanceOf[DecimalType]
    }
    val types = rows.fields.map(field => field.name -> field.dataType).toMap
    val changed = there.fields.exists { field =>
      types.get(field.name).exists { kind =>
        plain(kind) && plain(field.dataType) && kind.catalogString != field.dataType.catalogString
      }
    }
    val differ =
      if (ordered) names(there) != names(rows) else names(there).sorted != names(rows).sorted
    if (changed || differ)
      throw new BindingException(
        Explain(
          s"The rows cannot be appended to the $target.",
          expected = describe(there),
          found = describe(rows),
          hint = "choose columns with --keep and name predictions with --fetch."
        )
      )
  }

  def describe(schema: StructType): String =
    schema.fields.map(field => s"${field.name} ${field.dataType.catalogString}").mkString(", ")
}
