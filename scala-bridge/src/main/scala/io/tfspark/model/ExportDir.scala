package io.tfspark.model

import java.nio.file.{Files, Path}

import scala.jdk.CollectionConverters._
import scala.util.Using

import io.tfspark.error._

/** The folder with `saved_model.pb` and the number of its version folder, if it is one. */
final private[model] case class ExportDir(path: Path, version: Option[Long])

/** Finds the export dir of a user's path: the folder itself, or the newest version below it. */
private[model] object ExportDir {

  def resolve(folder: Path, version: Option[Long]): ExportDir = {
    val path = folder.toAbsolutePath.normalize
    if (!Files.isDirectory(path))
      throw new ModelNotFoundException(
        Explain(
          s"There is no model folder at $path.",
          expected = s"a folder with ${SavedModelFile.Binary}, or with version folders 1, 2, …",
          found = if (Files.exists(path)) "a file" else "nothing",
          hint = "give the export dir, or the base path above its version folders."
        )
      )
    if (SavedModelFile.isIn(path)) own(path, version)
    else newest(path, version)
  }

  private def own(path: Path, version: Option[Long]): ExportDir = {
    val number = numberOf(path)
    if (version.exists(wanted => !number.contains(wanted)))
      throw new ModelNotFoundException(
        Explain(
          s"$path is one export dir; it has no version ${version.mkString} inside.",
          found = number.fold("a SavedModel without version folder")(one => s"version $one"),
          hint = "give the base path above the version folders, or leave the version out."
        )
      )
    ExportDir(path, number)
  }

  private def newest(path: Path, version: Option[Long]): ExportDir = {
    val entries = Using.resource(Files.list(path))(_.iterator.asScala.toSeq.sorted)
    val folders =
      entries.filter(Files.isDirectory(_)).flatMap(entry => numberOf(entry).map(_ -> entry))
    folders.groupBy(_._1).foreach {
      case (number, Seq(one, other, _*)) => throw new InvalidModelException(
          Explain(
            s"Version $number of the model at $path exists twice.",
            found = Explain.listing(Seq(one, other).map(_._2.getFileName.toString)),
            hint = "remove or rename one of the two folders."
          )
        )
      case _ => ()
    }
    if (folders.isEmpty)
      throw new ModelNotFoundException(
        Explain(
          s"There is no SavedModel in $path.",
          expected = s"${SavedModelFile.Binary}, or version folders named 1, 2, …",
          found = Explain.listing(entries.take(8).map(_.getFileName.toString)),
          hint = "give the folder of one exported model, or the base path above its versions."
        )
      )
    val chosen = version.getOrElse(folders.map(_._1).max)
    folders.collectFirst { case (`chosen`, folder) => ExportDir(folder, Some(chosen)) }.getOrElse {
      throw new ModelNotFoundException(
        Explain(
          s"There is no version $chosen of the model at $path.",
          expected = s"one of the versions ${folders.map(_._1).sorted.mkString(", ")}",
          hint = "leave the version out to take the newest."
        )
      )
    }
  }

  private def numberOf(folder: Path): Option[Long] =
    Option(folder.getFileName).map(_.toString).filter(_.matches("[0-9]{1,18}")).map(_.toLong)
}
