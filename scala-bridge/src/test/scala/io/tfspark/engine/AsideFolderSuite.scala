package io.tfspark.engine

import java.nio.file.{Files, Path}
import java.nio.file.attribute.FileTime
import java.time.{Duration, Instant}

import org.scalatest.funsuite.AnyFunSuite

class AsideFolderSuite extends AnyFunSuite {
  private val name = "aside-test"

  private def entries: Seq[Path] = NodeFolder.copiesOf(NodeFolder.root.resolve(name))

  private def made(): Path = Files.createTempDirectory(NodeFolder.root, s"$name.")

  test("a folder is deleted after its use, even if the use fails") {
    AsideFolder.use(name)(folder => assert(Files.isDirectory(folder) && entries.size == 1))
    intercept[IllegalStateException](AsideFolder.use(name)(_ => throw new IllegalStateException))
    assert(entries.isEmpty)
  }

  test("the folders of killed processes are deleted, and those in use are not") {
    val killed = made()
    Files.createFile(killed.resolve("in-use"))
    val (young, old) = (made(), made())
    Files.setLastModifiedTime(old, FileTime.from(Instant.now.minus(Duration.ofDays(2))))
    AsideFolder.use(name) { first =>
      AsideFolder.use(name)(_ => assert(Files.exists(first)))
      AsideFolder.use(name)(_ => assert(Files.exists(first)))
      assert(entries.toSet == Set(young, first.getParent))
    }
    NodeFolder.delete(young)
  }
}
