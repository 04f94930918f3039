package io.tfspark.engine

import java.io.IOException
import java.nio.channels.FileChannel
import java.nio.file.{Files, LinkOption, Path, Paths, StandardOpenOption}
import java.nio.file.attribute.PosixFilePermissions

import scala.jdk.CollectionConverters._
import scala.util.Using

import com.sun.security.auth.module.UnixSystem
import io.tfspark.error._
import io.tfspark.model.ModelFiles

/** This node's folder of models, each under its digest. Driver and executor.
  *
  * A model appears whole, by a rename under a lock, or not at all; however many executors run on a
  * node, one brings it.
  */
object NodeFolder {

  /** The folder: `TFSPARK_CACHE_DIR`, else one of this user's in the temporary directory. */
  def root: Path = {
    val uid = new UnixSystem().getUid
    val named = Option(System.getenv("TFSPARK_CACHE_DIR")).filter(_.nonEmpty).map(Paths.get(_))
    val folder = named.getOrElse(Paths.get(System.getProperty("java.io.tmpdir"), s"tfspark-$uid"))
    try {
      if (!Files.isDirectory(folder)) {
        val own = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))
        Files.createDirectories(folder, own)
      }
      val owner = Files.getAttribute(folder, "unix:uid", LinkOption.NOFOLLOW_LINKS).toString
      if (owner != uid.toString)
        throw unusable(folder, s"a folder of the user with the number $owner")
    } catch { case error: IOException => throw unusable(folder, error.toString) }
    // Apart from the folders of Python workers, which clean up after each other by name.
    Files.createDirectories(folder.resolve("jvm"))
  }

  /** The folder of a model, filling it when it is not there.
    *
    * @param size bytes of all files; a folder of another size lost files to a cleaner and is
    *   replaced
    * @param fill writes the files into a new folder; called by one process per node
    */
  def of(digest: String, size: Long)(fill: Path => Unit): Path = {
    val folder = root.resolve(digest)
    if (ModelFiles.size(folder) != size || size == 0) locked(digest) {
      if (ModelFiles.size(folder) != size || size == 0) replace(folder, digest, fill)
    }
    folder
  }

  /** Refuse a folder whose files are not those of a digest. */
  def check(folder: Path, digest: String): Unit =
    if (ModelFiles.digest(folder) != digest)
      throw new InvalidModelException(
        Explain(
          s"The model at $folder is not the one that the driver read.",
          expected = s"digest ${digest.take(12)}",
          hint = "it changed during the job; export to a new version folder instead."
        )
      )

  /** Delete a folder and all in it. */
  def delete(folder: Path): Unit =
    if (Files.exists(folder, LinkOption.NOFOLLOW_LINKS))
      Using.resource(
        Files.walk(folder)
      )(_.iterator.asScala.toSeq.reverse.foreach(Files.deleteIfExists))

  private def replace(folder: Path, digest: String, fill: Path => Unit): Unit = {
    val aside = Files.createTempDirectory(folder.getParent, s"$digest.")
    try {
      fill(aside)
      check(aside, digest)
      delete(folder)
      val _ = Files.move(aside, folder)
    } catch { case error: IOException => throw unusable(root, error.toString) }
    finally delete(aside)
  }

  /** Run alone on this node: file locks hold between processes, the monitor between threads. */
  private def locked(digest: String)(body: => Unit): Unit = synchronized {
    val lock = root.resolve(s"$digest.lock")
    Using.resource(FileChannel.open(lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      channel =>
        Using.resource(channel.lock())(_ => body)
    }
  }

  private def unusable(folder: Path, found: String): EngineException =
    new EngineException(
      Explain(
        s"A worker cannot keep models in its cache folder $folder.",
        expected = "a folder of its own with room for the model",
        found = found,
        hint = "name one in the environment variable TFSPARK_CACHE_DIR of the executors."
      )
    )
}
