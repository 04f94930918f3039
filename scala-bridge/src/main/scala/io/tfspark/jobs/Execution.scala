package io.tfspark.jobs

import scala.collection.immutable.ListMap
import scala.util.control.NonFatal

import com.fasterxml.jackson.databind.node.ObjectNode
import io.tfspark.error._
import io.tfspark.sql.LocatedModel
import org.apache.spark.sql.SparkSession

/** Runs a planned job: locks the output, stages the rows, publishes them, and reports. Driver. */
final private[jobs] class Execution(spark: SparkSession, job: BatchJob, plan: Plan) {

  /** Run, unless an earlier run of the same job is done; returns the path of the report. */
  def run(report: Report): String = {
    val (account, already) = undoing {
      plan.transaction.begin(plan.job) match {
        case Some(done) =>
          val earlier = report.account.ofEarlier(done.report)
          (earlier, s"already done by run ${earlier.run}: ")
        case None => (published(report), "")
      }
    }
    val seconds = account.seconds("score")
    val bad = if (job.badRows.isEmpty) "" else s", ${account.badRows} bad"
    println(
      f"${already}scored ${account.rowsOut} rows in $seconds%.1f s (${account.nullRows} null$bad)"
    )
    told(account)
  }

  private def published(report: Report): Account = {
    val (_, done) = report.timed("score")(plan.stage())
    val counted = done.copy(
      model = facts(plan.model),
      input = job.source.toString,
      output = job.target.toString,
      rowsIn = Some(plan.counts.in),
      rowsOut = plan.counts.out,
      nullRows = plan.counts.nulls,
      badRows = plan.counts.bad,
      badRowsOutput = job.badRows.getOrElse(""),
      rounded = plan.binding.rounded,
      versions = versions
    )
    checkCounts(counted)
    job.maxBadRows.check(plan.counts.bad, plan.counts.in)
    counted.timed("publish")(publish(counted.account.document))._2.account
  }

  /** Publish the staged rows; an error after the decision is not a failure of the job. */
  private def publish(account: ObjectNode): Unit =
    try plan.transaction.publish(account)
    catch {
      case NonFatal(error) if plan.output.isDecided =>
        throw new UnfinishedOutputException(
          Explain(
            "The job decided to publish its rows, but ended before all of them were visible.",
            found = error.getMessage,
            hint = "run the same command again; it publishes the rest and scores nothing."
          ),
          Some(error)
        )
    }

  /** Discard the staged files when a block fails. */
  private def undoing[A](body: => A): A =
    try body
    catch {
      case error: Throwable =>
        Thread.interrupted(): Unit // clear it; an interrupted thread cannot delete files
        // The user needs the failure of the job.
        try plan.transaction.discard()
        catch { case NonFatal(other) => error.addSuppressed(other) }
        throw error
    }

  /** Write the report of published rows and end the job. Errors are only printed. */
  private def told(account: Account): String = {
    val place =
      try ReportFile.write(spark, account, job)
      catch {
        case NonFatal(error) =>
          System.err.println(s"error: ${error.getMessage}")
          "the report was not written"
      }
    try plan.transaction.acknowledge()
    catch {
      case NonFatal(error) =>
        val found = ForeignText.oneLine(error.toString)
        System.err.println(s"warning: the next job removes the files that this one left: $found")
    }
    place
  }

  private def checkCounts(report: Report): Unit =
    if (!report.rowsIn.contains(report.rowsOut + report.badRows))
      throw new EngineException(
        Explain(
          "Rows were lost or duplicated; nothing is published.",
          expected = s"${report.rowsIn.mkString} rows",
          found = s"${report.rowsOut + report.badRows} rows",
          hint = "run the job again; before Spark 4.3 a retried task was counted twice."
        )
      )

  private def facts(located: LocatedModel): ListMap[String, Any] = {
    val model = located.model
    ListMap(
      "path" -> located.remote.getOrElse(model.path),
      "name" -> model.name,
      "version" -> model.version.map(Long.box).orNull,
      "digest" -> model.digest,
      "signature" -> job.options.signature,
      "tensorflow" -> model.tensorflowVersion
    )
  }

  private def versions: ListMap[String, String] =
    ListMap(
      "spark" -> spark.version,
      "java" -> sys.props("java.version"),
      "scala" -> util.Properties.versionNumberString
    )
}
