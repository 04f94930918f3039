package io.tfspark.engine

import scala.jdk.CollectionConverters._

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileSystem, Path}

/** Opens file systems of Hadoop outside of Hadoop's cache. Driver and executor.
  *
  * That cache knows a file system by scheme, authority and user, not by its settings: a session
  * that gave a scheme another class, or an authority other mounts, would have put its own file
  * system there for all sessions of the JVM. What is opened here has the settings that are given,
  * and the caller closes it.
  */
private[tfspark] object OwnFileSystem {
  private val oneOfMany = """fs\.([^.]+)\.impl""".r
  private val ofHadoop = Seq("file", "hdfs", "webhdfs", "swebhdfs", "viewfs", "har")

  /** The file system of a path. */
  def open(path: Path, conf: Configuration): FileSystem =
    FileSystem.newInstance(path.toUri, uncached(conf))

  /** The same settings, by which file systems that open others (viewfs, har) use no cache, either.
    */
  private def uncached(conf: Configuration): Configuration = {
    val own = new Configuration(conf)
    val named = conf.getPropsWithPrefix("").asScala.keys.collect { case oneOfMany(one) => one }
    (ofHadoop ++ named).foreach(one => own.setBoolean(s"fs.$one.impl.disable.cache", true))
    own
  }
}
