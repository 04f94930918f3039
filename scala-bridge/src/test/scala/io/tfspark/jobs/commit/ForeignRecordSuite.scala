package io.tfspark.jobs.commit

import java.nio.file.{Files, Path}
import java.nio.file.attribute.PosixFilePermissions

import io.tfspark.error.{OutputBusyException, OutputExistsException}
import org.scalatest.funsuite.AnyFunSuite

/** Files of a commit that another program wrote: none leads out of the folder of the output. */
class ForeignRecordSuite extends AnyFunSuite {
  private val key = JobKey("digest", "monday")

  private val journal = Journal(
    "append",
    "A1",
    key,
    Owner.ofThisProcess,
    Seq("part-1"),
    Nil,
    "",
    Json.node().put("run", "20260102-030405-0a1b2c3d")
  )

  private def output(): Path = Files.createTempDirectory("foreign").toRealPath().resolve("out")

  private def begin(output: Path): Option[Journal] = {
    val lock = new Lock(Stopping.store(), Stopping.places(output), "B1", Owner.ofThisProcess)
    try new Commit(lock).begin(key)
    finally lock.release()
  }

  private def planted(place: String, text: String): Path = {
    val file = Path.of(place)
    Files.createDirectories(file.getParent)
    Files.writeString(file, text)
  }

  private val forged = Seq(
    journal.copy(add = Seq("../../victim/file")),
    journal.copy(add = Seq("/victim/file")),
    journal.copy(add = Seq("a/./b")),
    journal.copy(retire = Seq("..")),
    journal.copy(add = Seq("")),
    journal.copy(run = "../x"),
    journal.copy(report = Json.node().put("run", "/../../x")),
    journal.copy(mode = "all")
  ).map(_.toJson) ++ Seq(
    journal.toJson.replace("\"part-1\"", "1"),
    journal.toJson.replaceFirst("\"pid\" : \\d+", "\"pid\" : \"../1\""),
    "[]",
    "{",
    "",
    "[" * 100000
  )

  test("a forged journal is named and nothing is done") {
    forged.foreach { text =>
      val there = output()
      val places = Stopping.places(there)
      val done = planted(places.done(key.name), text)
      val first = intercept[OutputBusyException](begin(there))
      assert(first.getMessage.contains(s"$done is not one that a job writes"), text.take(300))
      Files.delete(done)
      planted(s"${places.work("A1")}/journal", text): Unit
      val error = intercept[OutputBusyException](begin(there))
      val left = Path.of(s"${places.work("B1")}/journal")
      assert(error.getMessage.contains(s"$left is not one that a job writes"), text.take(300))
      assert(Files.readString(left) == text)
    }
  }

  test("a forged lock is named") {
    for {
      name <- Seq("lock-1", "beat-A1")
      text <- Seq("{", "[]", """{"run": "../x", "owner": {}}""")
    } {
      val there = output()
      val file = planted(s"${Stopping.places(there).path}/$name", text)
      val error = intercept[OutputBusyException](begin(there))
      assert(error.getMessage.contains(s"$name is not one that a job writes"), error.getMessage)
      assert(Files.exists(file))
    }
  }

  test("names of partitions and of Spark's files are accepted") {
    val names =
      Seq("g=../part-0", "g=a%2Fb/d=..%2F/part-0.c000.snappy.parquet", "a b/ü..c", "_SUCCESS")
    assert(Journal.of(journal.copy(add = names).toJson).add == names)
  }

  private def folder(mode: String, isSticky: Boolean, hidden: String): Path = {
    val above = Files.createTempDirectory("rights").toRealPath()
    val folder = Files.createDirectory(above.resolve(".out.tfspark"))
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString(hidden))
    Files.setPosixFilePermissions(above, PosixFilePermissions.fromString(mode))
    if (isSticky) Files.setAttribute(above, "unix:mode", Integer.parseInt("1777", 8)): Unit
    above.resolve("out")
  }

  test("a hidden folder of users who can replace the output is used") {
    assert(begin(folder("rwxr-xr-x", isSticky = false, "rwxr-xr-x")).isEmpty)
    assert(begin(folder("rwxrwxrwx", isSticky = true, "rwxrwxr-x")).isEmpty)
    assert(begin(folder("rwxrwxrwx", isSticky = false, "rwxrwxrwx")).isEmpty)
  }

  test("a hidden folder that other users can fill is refused") {
    Seq(
      folder("rwxr-xr-x", isSticky = false, "rwxrwxrwx"),
      folder("rwxrwxrwx", isSticky = true, "rwxrwxrwx")
    )
      .foreach { there =>
        val error = intercept[OutputExistsException](begin(there))
        assert(error.getMessage.contains("mode 777"), error.getMessage)
      }
  }

  test("a hidden folder of another user is refused below a folder with a sticky bit") {
    def found(hidden: Access, above: Int, there: Option[String]): Boolean = {
      val store = new RightsStore(Map(
        "/w/.out.tfspark" -> hidden,
        "/w/" -> Access("hdfs", Integer.parseInt(above.toString, 8))
      ) ++ there.map(owner => "/w/out" -> Access(owner, 493)))
      try {
        Access.refusePlanted(store, HiddenFolder("/w/out"))
        false
      } catch { case _: OutputExistsException => true }
    }
    val theirs = Access("other", 493)
    assert(found(theirs, 1777, None) && found(theirs, 1777, Some("me")))
    assert(!found(theirs, 1777, Some("other")) && !found(theirs, 775, None))
    assert(!found(Access("me", 493), 1777, None) && found(
      Access("me", 493, isLink = true),
      755,
      None
    ))
  }

  test("a hidden folder that is a link is refused, and its target is not changed") {
    val there = output()
    val home = Files.createTempDirectory("home")
    Files.writeString(home.resolve(".profile"), "mine"): Unit
    val link = Files.createSymbolicLink(there.resolveSibling(".out.tfspark"), home)
    assert(intercept[OutputExistsException](begin(there)).getMessage.contains("a link"))
    assert(Stopping.names(home) == Seq(".profile") && Files.isSymbolicLink(link))
  }
}

/** A store that only knows the rights of some folders. */
final private class RightsStore(rights: Map[String, Access]) extends Store {
  private def none: Nothing = throw new UnsupportedOperationException
  override def isAtomic: Boolean = true
  override def userIn(folder: String): String = "me"
  override def access(path: String): Option[Access] = rights.get(path)
  override def names(folder: String): Seq[String] = none
  override def exists(path: String): Boolean = none
  override def read(path: String): Option[String] = none
  override def create(path: String, text: String): Unit = none
  override def touch(path: String): Unit = none
  override def modified(path: String): Option[Long] = none
  override def make(folder: String): Unit = none
  override def makeHidden(folder: String): Unit = none
  override def rename(source: String, target: String): Unit = none
  override def identity(folder: String): String = none
  override def reasonToStay(folder: String, full: String): Option[String] = none
  override def reasonToRefuse(folder: String, work: String): Option[String] = none
  override def delete(path: String): Unit = none
  override def deleteLast(paths: String*): Unit = none
  override def removeEmpty(folder: String): Unit = none
}
