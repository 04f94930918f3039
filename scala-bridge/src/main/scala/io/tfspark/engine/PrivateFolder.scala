package io.tfspark.engine

import java.nio.file.{Files, LinkOption, Path, Paths}
import java.nio.file.attribute.PosixFilePermissions

import com.sun.security.auth.module.UnixSystem
import io.tfspark.error._

/** Folders that only this user can write. Driver and executor. */
private[engine] object PrivateFolder {
  private val byOthers = Integer.parseInt("022", 8)
  private val byAll = Integer.parseInt("002", 8)
  private val sticky = Integer.parseInt("1000", 8)
  private val permissions = Integer.parseInt("7777", 8)
  private val nameOne =
    "set the environment variable TFSPARK_CACHE_DIR of the executors to such a folder."

  private lazy val user: Long = new UnixSystem().getUid

  /** `TFSPARK_CACHE_DIR`, or else this user's folder in the temporary directory. */
  def ofUser: Path = {
    val named = Option(System.getenv("TFSPARK_CACHE_DIR")).filter(_.nonEmpty).map(Paths.get(_))
    named.getOrElse(Paths.get(System.getProperty("java.io.tmpdir"), s"tfspark-$user"))
      .toAbsolutePath.normalize
  }

  /** Create a folder and its parents for this user only; do nothing when it exists. */
  def make(folder: Path): Unit =
    if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
      val own = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))
      val _ = Files.createDirectories(folder, own)
    }

  /** Whether a folder is not a link, belongs to this user, and is not writable by others. */
  def isPrivate(folder: Path): Boolean =
    Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS) && problem(folder).isEmpty

  /** Whether a path is a regular file of this user, and not a link. */
  def isOwnFile(file: Path): Boolean =
    Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) && owner(file) == user

  /** Refuse a folder that another user could change. */
  def refuseShared(folder: Path): Unit =
    problem(folder).foreach { case (found, hint) => throw unusable(folder, found, hint) }

  /** Refuse a folder when every user may rename entries of others in a folder above it. */
  def refuseOpenParents(folder: Path): Unit =
    Iterator
      .iterate(folder.toRealPath().getParent)(_.getParent)
      .takeWhile(Option(_).isDefined)
      .foreach { above =>
        val found = mode(above)
        if ((found & byAll) != 0 && (found & sticky) == 0)
          throw unusable(
            folder,
            s"$above has mode ${shown(found)}, so every user can replace what is in it",
            s"run chmod o-w $above, or chmod +t if others need it, or set another folder in " +
              "TFSPARK_CACHE_DIR of the executors."
          )
      }

  /** The error for a cache folder that cannot be used. */
  def unusable(folder: Path, found: String, hint: String = nameOne): EngineException =
    new EngineException(
      Explain(
        s"A worker cannot keep models in its cache folder $folder.",
        expected = "a folder with room for the model, which only its own user can write",
        found = found,
        hint = hint
      )
    )

  /** How another user could change a folder, with a hint; nothing when nobody could. */
  private def problem(folder: Path): Option[(String, String)] =
    if (Files.isSymbolicLink(folder))
      Some(("a link", "set the folder itself in TFSPARK_CACHE_DIR of the executors."))
    else if (owner(folder) != user)
      Some((s"a folder of the user with the id ${owner(folder)}", nameOne))
    else if ((mode(folder) & byOthers) != 0)
      Some(
        (
          s"mode ${shown(mode(folder))}, so other users can write to it",
          s"run chmod go-w $folder"
        )
      )
    else None

  private def owner(folder: Path): Long = attribute(folder, "uid").longValue

  private def mode(folder: Path): Int = attribute(folder, "mode").intValue & permissions

  private def shown(mode: Int): String = Integer.toOctalString(mode)

  private def attribute(folder: Path, name: String): Number =
    Files.getAttribute(folder, s"unix:$name", LinkOption.NOFOLLOW_LINKS).asInstanceOf[Number]
}
