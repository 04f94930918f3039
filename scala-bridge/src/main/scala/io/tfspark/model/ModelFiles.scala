package io.tfspark.model

import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, FileSystemException, NoSuchFileException, Path, StandardOpenOption}
import java.nio.file.attribute.BasicFileAttributes
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

  /** Relative name and path of every file, sorted by the bytes of the name; none when there is no
    * such folder.
    *
    * @param links whether links are followed; otherwise they are refused
    */
  def list(folder: Path, links: Boolean = true): Seq[(String, Path)] =
    if (!Files.isDirectory(folder)) Nil
    else
      below(folder, "", Nil, new ModelWalk(folder.toString), links).sortWith {
        case ((one, _), (other, _)) =>
          Arrays.compareUnsigned(one.getBytes(UTF_8), other.getBytes(UTF_8)) < 0
      }

  /** Bytes of all files; 0 when there is no such folder. */
  def size(folder: Path): Long = list(folder).map { case (_, file) => Files.size(file) }.sum

  /** The digest of a folder, in hexadecimal. */
  def digest(folder: Path, links: Boolean = true): String = {
    val total = MessageDigest.getInstance("SHA-256")
    list(folder, links).foreach { case (name, file) =>
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

  /** The files below a folder inside the model.
    *
    * @param above the file keys of the folders above it
    */
  private def below(
      folder: Path,
      top: String,
      above: Seq[AnyRef],
      walk: ModelWalk,
      links: Boolean
  ): Seq[(String, Path)] = {
    val own = Files.readAttributes(folder, classOf[BasicFileAttributes]).fileKey
    if (above.contains(own))
      throw walk.refusal(
        top.stripSuffix("/"),
        "a folder that contains itself through a link",
        ModelWalk.NoLink
      )
    Using.resource(Files.newDirectoryStream(folder)) {
      _.iterator.asScala.flatMap { path =>
        val name = top + path.getFileName
        walk.meet(name)
        if (!links && Files.isSymbolicLink(path))
          throw walk.refusal(name, "a link", ModelWalk.NoLink)
        attributes(path, name, walk) match {
          case Some(one) if one.isDirectory => below(path, s"$name/", above :+ own, walk, links)
          case Some(one) if one.isRegularFile => Seq(name -> path)
          case Some(_) => throw walk.refusal(name, "a device, a pipe or a socket", "remove it.")
          case None => Nil
        }
      }.toSeq
    }
  }

  /** The attributes of a path, or of the target of a link; nothing when there is no target. */
  private def attributes(
      path: Path,
      name: String,
      walk: ModelWalk
  ): Option[BasicFileAttributes] =
    try Some(Files.readAttributes(path, classOf[BasicFileAttributes]))
    catch {
      case _: NoSuchFileException => None
      case error: FileSystemException if Files.isSymbolicLink(path) =>
        throw walk.refusal(name, "a link that leads to itself", ModelWalk.NoLink, Some(error))
    }

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
