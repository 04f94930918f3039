import java.io.{BufferedOutputStream, FileOutputStream}
import java.util.zip.{ZipEntry, ZipFile, ZipOutputStream}

import scala.collection.JavaConverters._

import sbt._

/** Joins jars entry by entry; sbt-assembly would hold the native library in memory several times.
  */
object NativeJar {

  /** Write all entries of the jars, the first of each name; manifests and licences of the first jar
    * alone.
    */
  def join(jars: Seq[File], target: File): File = {
    val seen = scala.collection.mutable.Set.empty[String]
    val out = new ZipOutputStream(new BufferedOutputStream(new FileOutputStream(target)))
    try jars.zipWithIndex.foreach { case (jar, index) =>
        Using.zipFile(jar) { zip =>
          zip.entries.asScala
            .filter(entry => index == 0 || !entry.getName.startsWith("META-INF/"))
            .filter(entry => !entry.isDirectory && seen.add(entry.getName))
            .foreach(copy(zip, _, out))
        }
      }
    finally out.close()
    target
  }

  private def copy(zip: ZipFile, entry: ZipEntry, out: ZipOutputStream): Unit = {
    val copied = new ZipEntry(entry.getName)
    copied.setTime(0)
    out.putNextEntry(copied)
    val in = zip.getInputStream(entry)
    try IO.transfer(in, out)
    finally in.close()
    out.closeEntry()
  }

  private object Using {
    def zipFile[A](file: File)(use: ZipFile => A): A = {
      val zip = new ZipFile(file)
      try use(zip)
      finally zip.close()
    }
  }
}
