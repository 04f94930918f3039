package io.tfspark.engine

import java.nio.channels.FileChannel
import java.nio.file.{Files, LinkOption, Path}
import java.nio.file.StandardOpenOption.{CREATE_NEW, WRITE}
import java.time.{Duration, Instant}
import java.util.concurrent.ConcurrentHashMap

import scala.util.{Try, Using}

/** Temporary folders in this node's folder. Driver.
  *
  * The process that uses one holds a lock on a file in it. So the next process finds the folders of
  * processes that were killed, and deletes them.
  */
private[tfspark] object AsideFolder {
  private val mark = "in-use"
  // Of this process. It must not lock a mark again: closing the file would release the first lock.
  private val ours = ConcurrentHashMap.newKeySet[Path]()

  /** Run with a new empty folder, which is deleted afterwards.
    *
    * @param name the folder is in one whose name begins with it
    */
  def use[A](name: String)(body: Path => A): A = {
    val all = NodeFolder.root.resolve(name)
    val (aside, lock) = NodeFolder.locked(all) {
      NodeFolder.copiesOf(all).filterNot(isUsed).foreach(NodeFolder.discard)
      val made = Files.createTempDirectory(all.getParent, s"$name.")
      ours.add(made): Unit
      (made, held(made))
    }
    try body(Files.createDirectory(aside.resolve("content")))
    finally {
      NodeFolder.discard(aside)
      lock.close()
      ours.remove(aside): Unit
    }
  }

  private def held(folder: Path): FileChannel = {
    val file = FileChannel.open(folder.resolve(mark), CREATE_NEW, WRITE)
    file.lock(): Unit
    file
  }

  private def isUsed(folder: Path): Boolean =
    ours.contains(folder) || Try {
      val file = folder.resolve(mark)
      if (Files.exists(file, LinkOption.NOFOLLOW_LINKS))
        Using.resource(FileChannel.open(file, WRITE, LinkOption.NOFOLLOW_LINKS)) { channel =>
          Option(channel.tryLock()).isEmpty
        }
      else isYoung(folder)
    }.getOrElse(true) // its process has just deleted it

  /** Processes of earlier versions hold no lock; none of them copies for a day. */
  private def isYoung(folder: Path): Boolean =
    Files.getLastModifiedTime(folder).toInstant.isAfter(Instant.now.minus(Duration.ofDays(1)))
}
