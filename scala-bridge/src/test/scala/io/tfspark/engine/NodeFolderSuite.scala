package io.tfspark.engine

import java.nio.file.{Files, Path, Paths}
import java.nio.file.attribute.PosixFilePermissions

import scala.util.Using

import com.sun.security.auth.module.UnixSystem
import io.tfspark.TestModels
import io.tfspark.error.EngineException
import io.tfspark.model.ModelPackage
import org.scalatest.funsuite.AnyFunSuite

/** The cache folder of a node, and files that other users may have put there. */
class NodeFolderSuite extends AnyFunSuite {
  private val model = ModelPackage.load(Paths.get(TestModels.path("words")))
  private val name = s"tfspark-${new UnixSystem().getUid}"

  /** Run with a temporary directory of its own, in which the cache folder is made. */
  private def inTemporary(body: Path => Any): Unit = {
    val before = System.getProperty("java.io.tmpdir")
    val folder = Files.createTempDirectory("tfspark-node-").toRealPath()
    System.setProperty("java.io.tmpdir", folder.toString)
    try body(folder)
    finally {
      System.setProperty("java.io.tmpdir", before)
      NodeFolder.delete(folder)
    }
  }

  private def mode(folder: Path, text: String): Path =
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString(text))

  private def fill(into: Path): Unit = copy(Paths.get(model.path), into)

  private def copy(from: Path, into: Path): Unit =
    Using.resource(Files.walk(from))(_.forEach { one =>
      val target = into.resolve(from.relativize(one).toString)
      if (Files.isDirectory(one)) { val _ = Files.createDirectories(target) }
      else { val _ = Files.copy(one, target) }
    })

  private def taken(): Path = NodeFolder.of(model.digest, model.size)(fill)

  private def refusal(): String = intercept[EngineException](taken()).getMessage

  private def isWhole(folder: Path): Boolean = {
    NodeFolder.check(folder, model.digest)
    !Files.isSymbolicLink(folder)
  }

  test("folders are made for this user alone") {
    inTemporary { top =>
      assert(isWhole(taken()))
      Seq(name, s"$name/jvm").foreach { one =>
        val found = PosixFilePermissions.toString(Files.getPosixFilePermissions(top.resolve(one)))
        assert(found == "rwx------")
      }
    }
  }

  Seq("", "/jvm").foreach { inner =>
    test(s"a link in the place of the cache folder$inner is refused") {
      inTemporary { top =>
        val elsewhere = Files.createDirectory(top.resolve("elsewhere"))
        val place = top.resolve(s"$name$inner")
        mode(Files.createDirectories(place.getParent), "rwx------")
        Files.createSymbolicLink(place, elsewhere)
        assert(refusal().contains("found:    a link"))
        assert(elsewhere.toFile.list.isEmpty)
      }
    }

    test(s"a cache folder$inner that others can write is refused") {
      inTemporary { top =>
        taken()
        Seq("rwxrwx---" -> "770", "rwx----w-" -> "702").foreach { case (text, number) =>
          mode(top.resolve(s"$name$inner"), text)
          assert(refusal().contains(s"found:    mode $number, so other users can write to it"))
        }
      }
    }

    test(s"a cache folder$inner of another user is refused") {
      inTemporary { top =>
        taken()
        assume(new UnixSystem().getUid == 0, "only root can give a folder to another user")
        Files.setAttribute(top.resolve(s"$name$inner"), "unix:uid", 12345)
        assert(refusal().contains("a folder of the user with the id 12345"))
      }
    }
  }

  test("a folder above, in which everybody may rename, is refused without the sticky bit") {
    inTemporary { top =>
      mode(top, "rwxrwxrwx")
      val message = refusal()
      assert(message.contains(s"$top has mode 777, so every user can replace what is in it"))
      Files.setAttribute(top, "unix:mode", Integer.parseInt("1777", 8))
      assert(isWhole(taken()))
    }
  }

  test("a link in the place of a lock is refused, and what it leads to stays") {
    inTemporary { top =>
      val victim = Files.writeString(top.resolve("victim"), "precious")
      val _ = Files.createSymbolicLink(NodeFolder.root.resolve(s"${model.digest}.lock"), victim)
      assert(refusal().contains("is not a regular file of this user"))
      assert(Files.readString(victim) == "precious")
    }
  }

  test("a link in the place of a model is replaced, and what it leads to stays") {
    inTemporary { top =>
      val elsewhere = Files.createDirectory(top.resolve("elsewhere"))
      fill(elsewhere)
      val _ = Files.createSymbolicLink(NodeFolder.root.resolve(model.digest), elsewhere)
      assert(isWhole(taken()))
      NodeFolder.check(elsewhere, model.digest)
    }
  }

  test("a model of equal size that was edited or planted is replaced") {
    inTemporary { _ =>
      val planted = Files.createDirectory(NodeFolder.root.resolve(model.digest))
      fill(planted)
      val file = planted.resolve("saved_model.pb")
      val bytes = Files.readAllBytes(file)
      bytes(bytes.length - 1) = (bytes.last + 1).toByte
      Files.write(file, bytes)
      assert(isWhole(taken()))
    }
  }

  test("a model with a link inside is replaced, even when the bytes are right") {
    inTemporary { top =>
      val planted = Files.createDirectory(NodeFolder.root.resolve(model.digest))
      fill(planted)
      val outside = top.resolve("saved_model.pb")
      Files.move(planted.resolve("saved_model.pb"), outside)
      Files.createSymbolicLink(planted.resolve("saved_model.pb"), outside)
      assert(!Files.isSymbolicLink(taken().resolve("saved_model.pb")))
    }
  }

  test("copies of a model that killed processes left are deleted") {
    inTemporary { _ =>
      val left = NodeFolder.root.resolve(s"${model.digest}.17")
      val other = NodeFolder.root.resolve(s"${"0" * 64}.17")
      Seq(left, other).foreach(one => Files.createDirectories(one.resolve("variables")))
      assert(isWhole(taken()))
      assert(!Files.exists(left) && Files.exists(other))
    }
  }

  test("a process hashes a folder once") {
    inTemporary { _ =>
      val folder = taken()
      // Later changes, which only this user can make, are not searched: only a second hash would
      // find them.
      val file = folder.resolve("assets/vocabulary.txt")
      Files.write(file, Files.readAllBytes(file).reverse)
      assert(NodeFolder.of(model.digest, model.size)(_ => fail("filled twice")) == folder)
    }
  }
}
