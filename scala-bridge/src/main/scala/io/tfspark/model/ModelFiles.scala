package io.tfspark.model

import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, FileVisitOption, Path, StandardOpenOption}
import java.security.MessageDigest
import java.util.Arrays

import scala.jdk.CollectionConverters._
import scala.util.Using

/** The files of one export dir, and the digest that names them. Driver and executor.
  *
  * The digest is the SHA-256 over the sorted relative names, lengths and contents of all files,
  * byte for byte that of Python's `tfspark.package.digest_of`, so that both name a model alike.
  */
object ModelFiles {

  /** Relative name and path of every file, sorted by the bytes of the name; links to folders count
    * as folders.
    */
  def list(folder: Path): Seq[(String, Path)] =
    if (!Files.isDirectory(folder)) Nil
    else
      Using.resource(Files.walk(folder, FileVisitOption.FOLLOW_LINKS)) { found =>
        val files = found.iterator.asScala.filter(Files.isRegularFile(_)).toSeq
        files.map(file => relative(folder, file) -> file).sortWith { case ((one, _), (other, _)) =>
          Arrays.compareUnsigned(one.getBytes(UTF_8), other.getBytes(UTF_8)) < 0
        }
      }

  /** Bytes of all files; 0 when there is no such folder. */
  def size(folder: Path): Long = list(folder).map { case (_, file) => Files.size(file) }.sum

  /** The digest of a folder, in hexadecimal. */
  def digest(folder: Path): String = {
    val total = MessageDigest.getInstance("SHA-256")
    list(folder).foreach { case (name, file) =>
      total.update(s"$name\u0000${Files.size(file)}\u0000".getBytes(UTF_8))
      foreachChunk(file, 1 << 20)(total.update)
    }
    total.digest().map(byte => f"${byte & 0xff}%02x").mkString
  }

  /** What changes when a folder is written to: names, lengths and times of all files. */
  def fingerprint(folder: Path): Seq[(String, Long, Long)] =
    list(folder).map { case (name, file) =>
      (name, Files.size(file), Files.getLastModifiedTime(file).toMillis)
    }

  /** What comes of the contents of a file, piece by piece of at most 16 MiB: only one is held. */
  def pieces[A](file: Path)(use: Array[Byte] => A): Seq[A] = {
    val found = Vector.newBuilder[A]
    foreachChunk(file, 16 << 20) { chunk =>
      val bytes = new Array[Byte](chunk.remaining)
      chunk.get(bytes)
      found += use(bytes)
    }
    found.result()
  }

  private def relative(folder: Path, file: Path): String =
    folder.relativize(file).iterator.asScala.mkString("/")

  private def foreachChunk(file: Path, size: Int)(use: ByteBuffer => Unit): Unit =
    Using.resource(FileChannel.open(file, StandardOpenOption.READ)) { channel =>
      val buffer = ByteBuffer.allocate(math.max(1L, math.min(size.toLong, channel.size)).toInt)
      Iterator.continually(fill(channel, buffer)).takeWhile(identity).foreach { _ =>
        use(buffer.flip())
        buffer.clear()
      }
    }

  /** Read until the buffer is full or the file ends; tells whether there was anything. */
  private def fill(channel: FileChannel, buffer: ByteBuffer): Boolean = {
    Iterator.continually(
      buffer.hasRemaining && channel.read(buffer) >= 0
    ).takeWhile(identity).foreach(_ => ())
    buffer.position() > 0
  }
}
