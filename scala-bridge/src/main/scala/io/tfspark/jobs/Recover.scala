package io.tfspark.jobs

import java.util.UUID

import io.tfspark.error.UsageException
import io.tfspark.jobs.commit._
import io.tfspark.sql.HadoopConf
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.SparkSession

/** Recovers an output without running a job. Driver. */
object Recover {

  /** Finish or remove the work of dead jobs, of Python or Scala, beside a folder or a table.
    *
    * @param output path or URI of the output folder, or the name of a table; a text that can be
    *   both, such as `scores`, is recovered as both
    * @return the runs that had decided before they died; their rows are now published. If the same
    *   command is run again, it finds its job done.
    */
  def apply(spark: SparkSession, output: String): Seq[String] = {
    val conf = HadoopConf.of(spark)
    val folders = Stores.qualified(new Path(output), conf) +:
      (if (output.contains('/')) Nil else folderOfTable(spark, output).toSeq)
    folders.flatMap { folder =>
      val (store, root) = Stores.of(folder, conf)
      recovered(new SessionTables(spark, folder), store, HiddenFolder(root))
    }
  }

  private def recovered(tables: Tables, store: Store, places: HiddenFolder): Seq[String] =
    if (!store.exists(places.path)) Nil
    else {
      val run = s"recovery-${UUID.randomUUID}"
      val lock = new Lock(store, places, run, Owner.ofThisProcess)
      try {
        lock.acquire()
        new Recovery(lock, tables).run().map(_.run)
      } finally lock.release()
    }

  /** The folder of a table of the session's catalog; none if the text cannot be its name. */
  private def folderOfTable(spark: SparkSession, text: String): Option[Path] =
    try {
      val catalog = new OwnCatalog(spark)
      Some(TableName.of(spark, text)).filter(_.catalog.isEmpty).filterNot { name =>
        catalog.has(name.quoted) && catalog.isView(name.quoted)
      }.map { name =>
        name.checkSchema(spark)
        catalog.folderOf(name)
      }
    } catch { case _: UsageException => None }
}
