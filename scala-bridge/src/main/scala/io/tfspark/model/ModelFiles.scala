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

import io.tfspark.error._

/** The files of one export dir, and their digest. Driver and executor.
  *
  * The digest is the SHA-256 over the sorted relative names, lengths and contents of all files. It
  * is equal to Python's `tfspark.package.digest_of`.
  */
object ModelFiles {

  /** Relative name and path of every file, sorted by the bytes of the name; empty when the folder
    * does not exist.
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

  /** Bytes of all files; 0 when the folder does not exist. */
  def size(folder: Path): Long = list(folder).map { case (_, file) => Files.size(file) }.sum

  /** The digest of a folder, in hexadecimal. */
  def digest(folder: Path, links: Boolean = true): String = digestOf(list(folder, links))

  /** The digest of files that `list` found.
    *
    * @param read contents that were read before, by relative name; these bytes are hashed and the
    *   file is not read again
    */
  def digestOf(files: Seq[(String, Path)], read: Map[String, Array[Byte]] = Map.empty): String = {
    val total = MessageDigest.getInstance("SHA-256")
    files.foreach { case (name, file) =>
      read.get(name) match {
        case Some(bytes) =>
          total.update(heading(name, bytes.length.toLong))
          total.update(bytes)
        case None => addFile(total, name, file)
      }
    }
    total.digest().map(byte => f"${byte & 0xff}%02x").mkString
  }

  private def heading(name: String, size: Long): Array[Byte] =
    s"$name\u0000$size\u0000".getBytes(UTF_8)

  private def addFile(total: MessageDigest, name: String, file: Path): Unit = {
    val size = Files.size(file)
    total.update(heading(name, size))
    val found = eachChunk(file, 1 << 20) { chunk =>
      val length = chunk.remaining.toLong
      total.update(chunk)
      length
    }.sum
    // Otherwise the end of one file and the start of the next could not be told apart.
    if (found != size)
      throw new InvalidModelException(
        Explain(
          s"The file $file changed while it was read.",
          expected = s"$size bytes",
          found = s"$found bytes",
          hint = "export to a new version folder, and load the model when it is complete."
        )
      )
  }

  /** Names, lengths and times of all files; they change when the folder is written to. */
  def fingerprint(folder: Path): Seq[(String, Long, Long)] =
    list(folder).map { case (name, file) =>
      (name, Files.size(file), Files.getLastModifiedTime(file).toMillis)
    }

  /** The results of `use` on the contents of a file, in pieces of at most 16 MiB; only one piece is
    * in memory.
    */
  def pieces[A](file: Path)(use: Array[Byte] => A): Seq[A] =
    eachChunk(file, 16 << 20) { chunk =>
      val bytes = new Array[Byte](chunk.remaining)
      chunk.get(bytes)
      use(bytes)
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

  /** The attributes of a path, or of the target of a link; none when there is no target. */
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

  private def eachChunk[A](file: Path, size: Int)(use: ByteBuffer => A): Seq[A] =
    Using.resource(FileChannel.open(file, StandardOpenOption.READ)) { channel =>
      val buffer = ByteBuffer.allocate(math.max(1L, math.min(size.toLong, channel.size)).toInt)
      Iterator.continually(fill(channel, buffer)).takeWhile(identity).map { _ =>
        val found = use(buffer.flip())
        buffer.clear()
        found
      }.toVector
    }

  /** Read until the buffer is full or the file ends; returns whether any byte was read. */
  private def fill(channel: FileChannel, buffer: ByteBuffer): Boolean = {
    Iterator.continually(
      buffer.hasRemaining && channel.read(buffer) >= 0
    ).takeWhile(identity).foreach(_ => ())
    buffer.position() > 0
  }
}
