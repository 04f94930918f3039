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
    * @param inputs paths that the job reads; an overwritten output must not contain them
    */
  def check(inputs: Seq[String]): Unit

  /** Raise when the target cannot take rows of a schema. */
  def checkColumns(schema: StructType): Unit

  /** Run the job and stage its rows. */
  def stage(rows: DataFrame): Unit
}

private[jobs] object Output {

  /** The output of a target; staged names contain `run`. */
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

  /** Replace the old table by the new one; restore the old one on failure. */
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

  /** Refuse to append rows whose columns differ from the existing ones. */
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
