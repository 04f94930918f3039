package io.tfspark.jobs

import java.io.File
import java.nio.charset.StandardCharsets.UTF_8

import scala.util.Using
import scala.util.control.NonFatal

import io.tfspark.error._
import io.tfspark.sql.HadoopConf
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.SparkSession

/** Writes the report file: by default into the output folder of the job, or into the working
  * directory if the output is a table. Driver.
  */
private[jobs] object ReportFile {

  /** Refuse a path that cannot hold a report; called before the job. */
  def check(spark: SparkSession, place: String): Unit = {
    val named = new Path(place)
    val files = named.getFileSystem(HadoopConf.of(spark))
    val path = files.makeQualified(named)
    Places.checkCreatable(files, path)
    if (files.exists(path) && files.getFileStatus(path).isDirectory)
      throw new UsageException(
        Explain(s"The report cannot be written to $place.", expected = "a file", found = "a folder")
      )
  }

  /** Write a report; returns its path. */
  def write(spark: SparkSession, account: Account, job: BatchJob): String = {
    val name = s"_tfspark_report_${account.run}.json"
    val beside = job.target.path.fold(new File(name).getAbsolutePath)(folder =>
      s"${folder.stripSuffix("/")}/$name"
    )
    val place = job.report.getOrElse(beside)
    try {
      val named = new Path(place)
      val files = named.getFileSystem(HadoopConf.of(spark))
      val path = files.makeQualified(named)
      Using.resource(files.create(path, true))(_.write(account.toJson.getBytes(UTF_8)))
      if (path.toUri.getScheme == "file") path.toUri.getPath else path.toString
    } catch {
      case NonFatal(error) =>
        throw new JobFailedException(
          Explain(
            s"The rows are written, but the report is not: $place.",
            found = error.toString,
            hint = "do not run the job again only for the report."
          ),
          Some(error)
        )
    }
  }
}
