package io.tfspark.jobs

import io.tfspark.FrameScorer
import io.tfspark.error._
import org.apache.spark.sql.{Column, DataFrame}
import org.apache.spark.sql.functions.{col, input_file_name, struct, when}
import org.apache.spark.storage.StorageLevel

/** Good and bad rows of a scored DataFrame, which go to two outputs. Driver.
  *
  * Spark writes one output in one pass. So the scored rows wait on the workers' disks while the bad
  * ones are written, then the good ones. A block that is lost with its worker is scored again.
  *
  * @param all the columns of the input, the file, the outputs and the reason of all rows
  * @param good the kept columns and the outputs of the good rows
  * @param bad the columns of the input, the reason and the file of the bad rows
  */
final private[jobs] case class SplitRows(all: DataFrame, good: DataFrame, bad: DataFrame) {

  /** Keep the scored rows while a block writes them. */
  def holding(body: => Unit): Unit = {
    all.persist(StorageLevel.DISK_ONLY): Unit
    try body
    finally all.unpersist(): Unit
  }
}

private[jobs] object SplitRows {

  /** Columns of a bad row after those of the input. */
  val Reason: String = "_reason"
  val File: String = "_input_file"

  /** Refuse an input that has a column with the name of an additional column. */
  def checkNames(names: Seq[String]): Unit =
    names.find(name => Seq(Reason, File).exists(_.equalsIgnoreCase(name))).foreach { name =>
      throw new BindingException(Explain(
        s"Bad rows get a column '$name', and the input has one already.",
        hint = "rename it, or leave out --bad-rows."
      ))
    }

  /** Add the file of each row. The column is a struct of one field, so no input takes it. */
  def withFile(rows: DataFrame): DataFrame = {
    val file = input_file_name()
    rows.withColumn(File, struct(when(file =!= "", file).as(File)))
  }

  /** Split scored rows, lazily.
    *
    * @param names the columns of the input
    * @param keep those that good rows keep
    * @param outputs the columns of the predictions
    */
  def of(
      scored: DataFrame,
      names: Seq[String],
      keep: Option[Seq[String]],
      outputs: Seq[String]
  ): SplitRows = {
    val kept = FrameScorer.keptColumns(scored, names, keep) ++ outputs
    val isBad = col(Reason).isNotNull
    val file = col(File).getField(File).as(File)
    SplitRows(
      scored,
      scored.where(!isBad).select(kept.map(quoted): _*),
      scored.where(isBad).select((names.map(quoted) :+ col(Reason) :+ file): _*)
    )
  }

  private def quoted(name: String): Column = col(s"`${name.replace("`", "``")}`")
}
