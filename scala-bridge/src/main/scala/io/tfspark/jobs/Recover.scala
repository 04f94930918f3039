package io.tfspark.jobs

import java.util.UUID

import io.tfspark.jobs.commit._
import io.tfspark.sql.HadoopConf
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.SparkSession

/** Recovers an output without running a job. Driver. */
object Recover {

  /** Finish or remove what dead jobs, in Python or in Scala, left beside a folder.
    *
    * @param output path or URI of the folder that the jobs wrote
    * @return the runs whose rows were decided and are published now; the same command, given again,
    *   finds its job done
    */
  def apply(spark: SparkSession, output: String): Seq[String] = {
    val (named, conf) = (new Path(output), HadoopConf.of(spark))
    val (store, root) = Stores.of(named.getFileSystem(conf).makeQualified(named), conf)
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
