package io.tfspark.jobs

import java.nio.file.{Files, Path}
import java.nio.file.attribute.PosixFilePermissions

import scala.jdk.CollectionConverters._
import scala.util.Using

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{Path => HadoopPath}
import org.scalatest.funsuite.AnyFunSuite

/** A file is written as a whole, or not at all. */
class WholeFileSuite extends AnyFunSuite {
  private val files = new HadoopPath("file:///").getFileSystem(new Configuration())

  private def folder(): Path = Files.createTempDirectory("whole").toRealPath()

  private def qualified(path: Path): HadoopPath = new HadoopPath(s"file:$path")

  private def rights(path: Path): String =
    PosixFilePermissions.toString(Files.getPosixFilePermissions(path))

  private def names(folder: Path): Set[String] =
    Using.resource(Files.list(folder))(_.iterator.asScala.map(_.getFileName.toString).toSet)

  test("a replaced file keeps its permissions and its links") {
    val place = folder().resolve("report.json")
    val link = place.resolveSibling("link")
    WholeFile.write(files, qualified(place), "old", isPrivate = true)
    assert(rights(place) == "rw-------")
    Files.setPosixFilePermissions(place, PosixFilePermissions.fromString("rw-r-----"))
    Files.createSymbolicLink(link, place)
    WholeFile.write(files, qualified(link), "new", isPrivate = true)
    assert(Files.isSymbolicLink(link) && Files.readString(place) == "new")
    assert(rights(place) == "rw-r-----" && names(place.getParent) == Set("link", "report.json"))
  }

  test("a text replaces a file of Hadoop, and nothing is left beside it") {
    val place = folder().resolve("report.json")
    Seq("one", "two").foreach { text =>
      WholeFile.replace(files, qualified(place), text)
      assert(Files.readString(place) == text)
    }
    Files.delete(place)
    Files.createDirectories(place.resolve("in"))
    intercept[Exception](WholeFile.replace(files, qualified(place), "three"))
    assert(names(place.getParent).forall(!_.contains("tfspark")))
  }
}
