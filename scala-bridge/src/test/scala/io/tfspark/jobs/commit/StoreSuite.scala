package io.tfspark.jobs.commit

import java.nio.file._
import java.util.concurrent.{CountDownLatch, FutureTask}

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{Path => HadoopPath}
import org.scalatest.funsuite.AnyFunSuite

/** The properties of a store that the commit needs, on real files: of the local store and of
  * Hadoop's.
  */
class StoreSuite extends AnyFunSuite {
  private def hadoop(isAtomic: Boolean): Store = {
    val conf = new Configuration()
    val files = new HadoopPath("file:///").getFileSystem(conf)
    new HadoopStore(files, conf, isAtomic)
  }

  Seq(
    "local" -> (() => new LocalStore),
    "local without hard links" -> (() =>
      new LocalStore((name, _) => throw new FileSystemException(name.toString))
    ),
    "hadoop" -> (() => hadoop(isAtomic = true)),
    "copies" -> (() => hadoop(isAtomic = false))
  ).foreach { case (name, make) =>
    test(s"$name: what the commit relies on") {
      val (store, root) = (make(), Files.createTempDirectory("store").toString)
      store.create(s"$root/one", "first")
      intercept[FileAlreadyExistsException](store.create(s"$root/one", "second"))
      assert(store.read(s"$root/one").contains("first"))
      Seq(s"$root/none/one", s"$root/none/more/one").foreach { missing =>
        intercept[NoSuchFileException](store.create(missing, ""))
        intercept[NoSuchFileException](store.touch(missing))
        intercept[NoSuchFileException](store.rename(missing, s"$root/two"))
        // A missing source is reported first, so that a finished step is not mistaken for another
        // program's file.
        intercept[NoSuchFileException](store.rename(missing, s"$root/one"))
      }
      store.make(s"$root/new/deep")
      store.make(s"$root/out")
      intercept[FileAlreadyExistsException](store.rename(s"$root/new", s"$root/out"))
      store.removeEmpty(s"$root/new")
      assert(store.names(s"$root/new") == Seq("deep"))
      store.removeEmpty(s"$root/out")
      assert(!store.exists(s"$root/out"))
      store.rename(s"$root/new", s"$root/out")
      assert(store.names(s"$root/out") == Seq("deep"))
      assert(store.names(s"$root/none").isEmpty)
    }

    test(s"$name: files are touched and deleted") {
      val (store, root) = (make(), Files.createTempDirectory("store").toString)
      store.create(s"$root/one", "first")
      val before = store.modified(s"$root/one")
      store.touch(s"$root/one")
      assert(store.modified(s"$root/one").exists(after => before.exists(_ <= after)))
      assert(store.read(s"$root/one").contains("first"))
      assert(store.modified(s"$root/none").isEmpty && store.read(s"$root/none").isEmpty)
      store.make(s"$root/out/deep")
      store.delete(s"$root/out")
      store.delete(s"$root/out")
      store.make(s"$root/last")
      store.create(s"$root/last/one", "")
      store.deleteLast(s"$root/last/one", s"$root/last/none")
      store.deleteLast(s"$root/last/one")
      assert(store.names(root) == Seq("one"))
    }
  }

  test("a folder is deleted while another program adds files to it") {
    val (store, root) = (new LocalStore, Files.createTempDirectory("store"))
    (1 to 5).foreach { round =>
      val folder = Files.createDirectory(root.resolve(s"$round"))
      val started = new CountDownLatch(1)
      val adding = new FutureTask[Boolean](() =>
        Iterator.range(0, 20000).exists { number =>
          try {
            Files.createFile(folder.resolve(s"$number"))
            started.countDown()
            false
          } catch { case _: NoSuchFileException => true }
        }
      )
      new Thread(adding).start()
      started.await()
      store.delete(folder.toString)
      adding.get: Unit
      assert(!Files.exists(folder))
    }
  }

  test("atomic stores do not rename into a folder that is missing") {
    Seq(new LocalStore, hadoop(isAtomic = true)).foreach { store =>
      val root = Files.createTempDirectory("store").toString
      store.create(s"$root/one", "first")
      intercept[NoSuchFileException](store.rename(s"$root/one", s"$root/none/one"))
    }
  }

  test("a folder that cannot be renamed is found, and nothing is changed") {
    val (store, root) = (new LocalStore, Files.createTempDirectory("store").toString)
    store.make(s"$root/out")
    store.make(s"$root/aside")
    store.create(s"$root/aside/job", "")
    assert(store.reasonToStay(s"$root/out", s"$root/aside").isEmpty)
    store.create(s"$root/out/row", "")
    assert(store.reasonToStay(s"$root/out", s"$root/aside").isEmpty)
    val memory = Path.of("/dev/shm")
    assume(
      Files.isDirectory(memory) && Files.getFileStore(memory) != Files.getFileStore(Path.of(root))
    )
    val other = Files.createTempDirectory(memory, "store") // as in another layer of an overlay
    try assert(store.reasonToStay(other.toString, s"$root/aside").isDefined)
    finally store.delete(other.toString)
    assert(store.names(root) == Seq("aside", "out") && store.names(s"$root/aside") == Seq("job"))
  }

  test("a folder that cannot get files is found, and nothing is changed") {
    Seq(new LocalStore, hadoop(isAtomic = true)).foreach { store =>
      val root = Files.createTempDirectory("store").toString
      store.make(s"$root/out")
      store.make(s"$root/work")
      Seq(1, 2).foreach(_ => assert(store.reasonToRefuse(s"$root/out", s"$root/work").isEmpty))
      assert(store.names(s"$root/out").isEmpty)
    }
    val (store, root) = (new LocalStore, Files.createTempDirectory("store").toString)
    val memory = Path.of("/dev/shm")
    assume(
      Files.isDirectory(memory) && Files.getFileStore(memory) != Files.getFileStore(Path.of(root))
    )
    val other = Files.createTempDirectory(memory, "store")
    try {
      store.make(s"$other/deep")
      store.make(s"$root/work")
      Files.createSymbolicLink(Path.of(root, "link"), other)
      Seq("link", "link/deep").foreach { name =>
        assert(store.reasonToRefuse(s"$root/$name", s"$root/work").isDefined, name)
      }
    } finally store.delete(other.toString)
    assert(store.names(root) == Seq("link", "work") && store.names(s"$root/work").isEmpty)
  }

  test("links are resolved, also those to folders that do not exist yet") {
    val root = Files.createTempDirectory("store").toRealPath()
    Files.createSymbolicLink(root.resolve("link"), Path.of("real"))
    def behind(name: String) = Stores.behindLinks(new HadoopPath(s"file:$root/$name")).toString
    assert(behind("link/out") == s"file:$root/real/out")
    Files.createDirectories(root.resolve("real/in"))
    Files.createSymbolicLink(root.resolve("deep"), root.resolve("link/in"))
    assert(
      behind("deep/out") == s"file:$root/real/in/out" && behind("plain") == s"file:$root/plain"
    )
  }

  test("only local folders have an identity, which a rename keeps") {
    val (store, root) = (new LocalStore, Files.createTempDirectory("store").toString)
    store.make(s"$root/one")
    val identity = store.identity(s"$root/one")
    assert(identity.matches("[0-9]+:[0-9]+"))
    store.rename(s"$root/one", s"$root/two")
    assert(store.identity(s"$root/two") == identity)
    assert(store.identity(s"$root/one").isEmpty && hadoop(true).identity(root).isEmpty)
  }
}
