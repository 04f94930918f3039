package io.tfspark.jobs

import java.nio.file.{Files, Paths}

import io.tfspark.error._
import org.apache.hadoop.fs.{FileSystem, Path}

/** Checks, before the first task, that a job can create what it will write. Driver. */
private[jobs] object Places {

  /** Refuse a path below a file, or on this machine below a folder that cannot be written. */
  def checkCreatable(files: FileSystem, path: Path): Unit = {
    val above = Iterator.iterate(Option(path.getParent))(_.flatMap(one => Option(one.getParent)))
    above.takeWhile(_.isDefined).flatten.find(files.exists).foreach { folder =>
      problem(files, folder).foreach { problem =>
        throw new OutputExistsException(
          Explain(
            s"$path cannot be created: $folder $problem.",
            expected = "a folder to write into"
          )
        )
      }
    }
  }

  private def problem(files: FileSystem, folder: Path): Option[String] =
    if (!files.getFileStatus(folder).isDirectory) Some("is a file")
    else if (files.getUri.getScheme == "file" && !isWritable(folder))
      Some("cannot be written by this user")
    else None

  private def isWritable(folder: Path): Boolean = {
    val local = Paths.get(folder.toUri.getPath)
    Files.isWritable(local) && Files.isExecutable(local)
  }
}
