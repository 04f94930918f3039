package io.tfspark.jobs.commit

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileSystem, Path}
import org.slf4j.LoggerFactory

/** Which store a path is on. Driver. */
private[jobs] object Stores {
  private val log = LoggerFactory.getLogger(classOf[Store])

  /** Their name node does a rename and a creation as one operation. */
  private val atomic = Set("hdfs", "webhdfs", "swebhdfs")

  /** The store of a qualified path, and the path as the store knows it.
    *
    * A `viewfs` is followed to the file system behind its mount links, which all that is staged and
    * published shares with the output. Each operation is logged as a record of level DEBUG.
    */
  def of(path: Path, configuration: Configuration): (Store, String) = {
    val place = if (schemeOf(path) == "viewfs") behindLinks(path, configuration) else path
    val (store, root) =
      if (schemeOf(place) == "file") (new LocalStore, place.toUri.getPath)
      else {
        val files = place.getFileSystem(configuration)
        (new HadoopStore(files, configuration, atomic(schemeOf(place))), place.toString)
      }
    (new WatchedStore(store, operation => log.debug(operation)), root)
  }

  private def schemeOf(path: Path): String = path.toUri.getScheme.toLowerCase

  /** What is not there yet has the place of the folder above it. */
  private def behindLinks(path: Path, configuration: Configuration): Path = {
    val files: FileSystem = path.getFileSystem(configuration)
    val above = Iterator.iterate(path)(_.getParent).takeWhile(Option(_).isDefined)
    val there = above.find(files.exists).getOrElse(path)
    val missing = path.toString.drop(there.toString.length)
    new Path(files.resolvePath(there).toString.stripSuffix("/") + missing)
  }
}
