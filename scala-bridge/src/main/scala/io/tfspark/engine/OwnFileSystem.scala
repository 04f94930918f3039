package io.tfspark.engine

import scala.jdk.CollectionConverters._

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileSystem, Path}

/** Opens Hadoop's file systems without Hadoop's cache. Driver and executor.
  *
  * The cache finds a file system by scheme, authority and user, and ignores the settings. One
  * session could set another class for a scheme, or other mounts for an authority, and fill the
  * cache for all sessions of the JVM. A file system opened here has the given settings, and the
  * caller closes it.
  */
private[tfspark] object OwnFileSystem {
  private val oneOfMany = """fs\.([^.]+)\.impl""".r
  private val ofHadoop = Seq("file", "hdfs", "webhdfs", "swebhdfs", "viewfs", "har")

  /** The file system of a path. */
  def open(path: Path, conf: Configuration): FileSystem =
    FileSystem.newInstance(path.toUri, uncached(conf))

  /** The same settings without a cache, also for file systems that open others (viewfs, har). */
  private def uncached(conf: Configuration): Configuration = {
    val own = new Configuration(conf)
    val named = conf.getPropsWithPrefix("").asScala.keys.collect { case oneOfMany(one) => one }
    (ofHadoop ++ named).foreach(one => own.setBoolean(s"fs.$one.impl.disable.cache", true))
    own
  }
}
