package io.tfspark.jobs

import java.util.UUID

import io.tfspark.jobs.commit._
import io.tfspark.sql.HadoopConf
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.SparkSession

/** Recovers an output without running a job. Driver. */
object Recover {

  /** Finish or remove the work of dead jobs, of Python or Scala, beside a folder.
    *
    * @param output path or URI of the output folder
    * @return the runs that had decided before they died; their rows are now published. If the same
    *   command is run again, it finds its job done.
    */
  def apply(spark: SparkSession, output: String): Seq[String] = {
    val (named, conf) = (new Path(output), HadoopConf.of(spark))
    val place = Stores.behindLink(named.getFileSystem(conf).makeQualified(named))
    val (store, root) = Stores.of(place, conf)
    val places = HiddenFolder(root)
    if (!store.exists(places.path)) Nil
    else {
      val run = s"recovery-${UUID.randomUUID}"
      val lock = new Lock(store, places, run, Owner.ofThisProcess)
      lock.acquire()
      try new Recovery(lock).run().map(_.run)
      finally lock.release()
    }
  }
}
