package io.tfspark.jobs

import com.fasterxml.jackson.databind.node.ObjectNode
import io.tfspark.error._
import io.tfspark.jobs.commit._
import io.tfspark.sql.HadoopConf
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.SparkSession

/** The folder of bad rows beside the output of a job. Driver.
  *
  * Bad rows are written as Parquet files with the columns of the input, the reason and the input
  * file. The folder has its own commit. It is published just before the output. Its record stays
  * until the job has reported. If a job was killed between the two, the next job into both
  * withdraws the bad rows. If files of a record are missing, the bad rows were being withdrawn.
  *
  * @param good the output of the job; it begins before the bad rows
  */
final private[jobs] class BadRowsOutput(
    spark: SparkSession,
    folder: String,
    mode: String,
    run: String,
    good: Output
) extends PathOutput(
      spark,
      Dataset(Some(folder), None, "parquet", Map.empty),
      mode,
      run,
      Stores.qualified(new Path(folder), HadoopConf.of(spark))
    ) {
  private var runId = ""

  /** Also true after a leftover of the output. */
  override def hasLeftover: Boolean = super.hasLeftover || good.hasLeftover

  override protected def alreadyThere: OutputExistsException =
    new OutputExistsException(
      Explain(
        s"The folder for bad rows exists: $folder.",
        expected = "no existing output in mode error",
        hint = "choose another --bad-rows, or --mode overwrite, or --mode append; --mode " +
          "applies to the output too."
      )
    )

  override protected def columnsHint: String =
    "bad rows have all columns of the input: choose another --bad-rows, or --mode overwrite; " +
      "--mode applies to the output too."

  /** Refuse a folder that is, contains, or is inside a folder that the job reads or writes. */
  def checkBeside(other: Path): Unit = {
    val there = Stores.qualified(other, conf).toString
    val own = path.toString
    if (s"$there/".startsWith(s"$own/") || s"$own/".startsWith(s"$there/"))
      throw new UsageException(Explain(
        "Bad rows need a folder that is not the output's.",
        found = own,
        hint = "choose another --bad-rows."
      ))
  }

  /** Called only if the output of the job is not published.
    *
    * Bad rows of killed jobs whose output was not published are withdrawn. As both locks are held,
    * no such job can publish its output any more.
    */
  override def begin(job: JobKey): Option[Journal] = {
    val isChanged = super.hasLeftover || !isCompared
    val own = JobKey(job.digest)
    runId = job.runId
    commit.begin(own): Unit
    commit.records.filter(record => record.job == own || isAbandoned(record)).foreach(withdraw)
    checkAgain(isChanged)
    open()
    None
  }

  /** Whether the job of a record has ended and did not publish its rows in this output. */
  private def isAbandoned(record: Journal): Boolean = {
    val beside = record.report.path(BadRowsOutput.good)
    val job = JobKey(record.job.digest, beside.path("run_id").asText)
    good.place.exists(_.toString == beside.path("output").asText) &&
    !lock.isAliveAfterWait(Holder(record.run, record.owner)) && !good.mayHavePublished(job)
  }

  /** Take over the files that this job left after its output was published. */
  def clear(job: JobKey): Unit =
    if (super.hasLeftover) commit.begin(JobKey(job.digest)): Unit

  override def publish(account: ObjectNode): Unit = {
    val beside = Json.node().put("output", good.place.fold("")(_.toString)).put("run_id", runId)
    val whole = account.deepCopy()
    whole.set[ObjectNode](BadRowsOutput.good, beside): Unit
    super.publish(whole)
  }

  /** Remove the published bad rows; rows that an overwrite replaced are not restored. */
  def withdraw(): Unit = commit.record.filter(_ => lock.holds).foreach(withdraw)

  private def withdraw(done: Journal): Unit = {
    // The mark of a whole folder may already belong to another job.
    done.add.filter(_ != HiddenFolder.Success).foreach(name => store.delete(s"$root/$name"))
    if (store.names(root).forall(_ == HiddenFolder.Success)) store.delete(root)
    commit.forget(done.job)
  }
}

private object BadRowsOutput {

  /** In the record of bad rows: the output of the job, and its run id. */
  private val good = "good"
}

/** The output of a job and its bad rows as one transaction. Driver.
  *
  * The output is locked first, then the bad rows. No job waits for a lock whose owner is alive.
  */
final private[jobs] class GoodAndBadRows(good: Output, bad: BadRowsOutput) extends Transaction {

  override def begin(job: JobKey): Option[Journal] = {
    val done = good.begin(job)
    if (done.isEmpty) bad.begin(job): Unit else bad.clear(job)
    done
  }

  /** A job that is interrupted between the two is completed by its next start. */
  override def publish(account: ObjectNode): Unit = {
    bad.publish(account)
    try good.publish(account)
    catch {
      case error: Exception if !error.isInstanceOf[InterruptedException] =>
        if (!good.isDecided) bad.withdraw()
        throw error
    }
  }

  /** The record of the output is deleted last. */
  override def acknowledge(): Unit = {
    try bad.acknowledge()
    catch {
      case error: Throwable =>
        good.discard() // keeps the record, so that the same command finds the job done
        throw error
    }
    good.acknowledge()
  }

  override def discard(): Unit =
    try bad.discard()
    finally good.discard()
}
