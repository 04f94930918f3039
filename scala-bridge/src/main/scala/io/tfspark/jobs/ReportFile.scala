package io.tfspark.jobs

import java.io.{CharConversionException, File, IOException}
import java.nio.{file => nio}
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Paths}

import scala.util.Using
import scala.util.control.NonFatal

import com.fasterxml.jackson.core.JsonProcessingException
import com.fasterxml.jackson.databind.{DeserializationFeature, ObjectMapper}
import io.tfspark.error._
import io.tfspark.jobs.commit.Stores
import io.tfspark.sql.HadoopConf
import org.apache.hadoop.fs.{FileSystem, Path}
import org.apache.spark.sql.SparkSession

/** Writes the report file: by default into the output folder of the job, or into the working
  * directory if the output is a table. Driver.
  */
private[jobs] object ReportFile {

  /** A larger file is not a report. */
  private val mostBytes = 64L << 20
  private val beginning = """\{\s*"job"\s*:\s*"(batch|sql)_score"\s*,\s*"run"\s*:""".r
  private val json = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)

  /** Refuse a path that cannot hold a report, or that holds another file; called before the job. */
  def check(spark: SparkSession, place: String): Unit = {
    val (files, path) = located(spark, place)
    Places.checkCreatable(files, path)
    if (files.exists(path) && files.getFileStatus(path).isDirectory)
      throw new UsageException(
        Explain(s"The report cannot be written to $place.", expected = "a file", found = "a folder")
      )
    // A file without content may have been made for the report, or is left of a killed job.
    if (bytesAt(files, path) > 0 && runAt(files, path).isEmpty && !isCut(files, path))
      throw new OutputExistsException(
        Explain(
          s"--report would replace $place, which is not a report.",
          hint = "name a new file."
        )
      )
  }

  /** Write a report; returns its path. The report of the same run is kept, because the record of a
    * commit, from which it would be written again, has no statistics.
    */
  def write(spark: SparkSession, account: Account, job: BatchJob): String = {
    val name = s"_tfspark_report_${account.run}.json"
    val beside = job.target.path.fold(new File(name).getAbsolutePath)(folder =>
      s"${folder.stripSuffix("/")}/$name"
    )
    val place = job.report.getOrElse(beside)
    try {
      val (files, path) = located(spark, place)
      if (job.report.isEmpty && job.target.path.isDefined && !files.exists(path.getParent))
        throw new IOException(s"${path.getParent} was removed after the run was done")
      val isPrivate = job.report.isEmpty && job.target.path.isEmpty
      if (runAt(files, path) != account.run)
        WholeFile.write(files, path, account.toJson, isPrivate)
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

  private def located(spark: SparkSession, place: String): (FileSystem, Path) = {
    val named = new Path(place)
    val files = named.getFileSystem(HadoopConf.of(spark))
    (files, files.makeQualified(named))
  }

  /** The length of a file; 0 for a pipe, such as `/dev/stdout`, which must not be read. */
  private def bytesAt(files: FileSystem, path: Path): Long =
    if (!files.exists(path) || (Stores.isLocal(path) && !Files.isRegularFile(local(path)))) 0
    else files.getFileStatus(path).getLen

  /** The run of the report at a place; empty without a report. */
  private def runAt(files: FileSystem, path: Path): String = {
    val length = bytesAt(files, path)
    if (length == 0 || length > mostBytes) ""
    else
      try json.readTree(read(files, path)).path("run").asText
      catch { case _: JsonProcessingException | _: CharConversionException => "" }
  }

  /** Whether a file begins as a report; its job was killed, or its disk was full. */
  private def isCut(files: FileSystem, path: Path): Boolean = {
    val head = Using.resource(files.open(path))(stream => new String(stream.readNBytes(256), UTF_8))
    beginning.findPrefixOf(head).isDefined
  }

  /** Hadoop would compare a local file with an old checksum beside it. */
  private def read(files: FileSystem, path: Path): Array[Byte] =
    if (Stores.isLocal(path)) Files.readAllBytes(local(path))
    else Using.resource(files.open(path))(_.readAllBytes())

  private def local(path: Path): nio.Path = Paths.get(path.toUri.getPath)
}
