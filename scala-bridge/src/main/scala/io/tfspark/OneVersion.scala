package io.tfspark

import java.util.Properties

import scala.jdk.CollectionConverters._
import scala.util.Using

import io.tfspark.error._

/** Refuses a class path with two versions of the bridge, because their classes would mix. Driver.
  */
private[tfspark] object OneVersion {

  /** @param loader the loader of the class path; null (a thread may have none) means the bridge's
    *   own loader
    */
  def check(loader: ClassLoader = Thread.currentThread.getContextClassLoader): Unit = {
    val where = Option(loader).getOrElse(getClass.getClassLoader)
    val found = where.getResources("META-INF/tfspark.properties").asScala.toSeq.map { url =>
      val properties = new Properties()
      Using.resource(url.openStream())(properties.load(_))
      properties.getProperty("version") -> url.toString
    }
    if (found.map(_._1).distinct.size > 1)
      throw new UsageException(
        Explain(
          "Two versions of the tfspark bridge are on the class path.",
          expected = "one",
          found = found.map { case (version, url) => s"$version in $url" }.mkString(", "),
          hint = "remove all but one from --jars, --packages and Spark's jars folder."
        )
      )
  }
}
