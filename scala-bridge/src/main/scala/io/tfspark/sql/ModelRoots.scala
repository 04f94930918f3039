package io.tfspark.sql

import java.net.URI
import java.nio.file.{Files, Path => LocalPath, Paths}

import scala.util.Using

import io.tfspark.engine.{OwnFileSystem, RemoteFolders}
import io.tfspark.error._
import io.tfspark.model.ModelFiles
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileSystem, Path}

/** Checks which paths SQL users may call. Driver.
  *
  * A model is a program. SQL users may call a path only when it and every file of the model are
  * below one of the operator's roots, after links and `..` are resolved.
  */
private[sql] object ModelRoots {

  /** The whole URI of a path on its file system. */
  def qualified(path: String, conf: Configuration): URI = {
    val named =
      try {
        val _ = Paths.get(path) // refuses NUL, which Hadoop's paths allow
        new Path(path)
      } catch { case error: IllegalArgumentException => throw noPath(path, error) }
    val whole = FileSystem.getDefaultUri(conf)
    val base = Option(named.toUri.getScheme).filterNot(whole.getScheme.equalsIgnoreCase).fold(
      whole
    )(scheme => URI.create(s"$scheme:///"))
    val working =
      if (named.isAbsolute) new Path("/")
      else if (isLocal(base)) new Path(Paths.get("").toAbsolutePath.toUri)
      else Using.resource(OwnFileSystem.open(named, conf))(_.getWorkingDirectory)
    named.makeQualified(base, working).toUri.normalize
  }

  /** Refuse a path that is not below a root. */
  def check(
      path: String,
      roots: Seq[String],
      names: Iterable[String],
      conf: Configuration
  ): Unit = {
    val uri = qualified(path, conf)
    if (!roots.exists(root => isBelow(uri, qualified(root, conf)))) {
      val below = if (roots.isEmpty) "" else s", or a path below ${roots.mkString(", ")}"
      throw new UsageException(
        Explain(
          s"The model '$path' may not be called from SQL.",
          expected = s"a registered name (${Explain.listing(names.toSeq.sorted)})$below",
          found = if (names.isEmpty) "a path"
          else s"a path.${Explain.didYouMean(path, names)}".stripSuffix("."),
          hint =
            "the operator of this Spark names models with spark.tfspark.model.NAME=path, or folders of models " +
              s"with ${BridgeConf.Roots}=path, when Spark is started."
        )
      )
    }
  }

  /** Refuse a local export dir when one of its files is outside all given folders, after links are
    * resolved.
    */
  def checkFiles(dir: LocalPath, folders: Seq[String], conf: Configuration): Unit = {
    val real = folders.map(qualified(_, conf)).filter(isLocal).map(realPath)
    val files = ("the folder of the version" -> dir) +: ModelFiles.list(dir)
    val outside = files.filterNot { case (_, file) =>
      val where = file.toRealPath()
      real.exists(where.startsWith(_))
    }
    if (outside.nonEmpty) throw leavesRoots(dir.toString, outside.map(_._1))
  }

  /** Refuse an export dir on one of Hadoop's file systems if every path to it from a given folder
    * contains a link. Links inside it are refused when its files are listed.
    */
  def checkFolders(
      dir: String,
      folders: Seq[String],
      conf: Configuration,
      files: RemoteFolders
  ): Unit = {
    val tops = folders.map(qualified(_, conf)).filter(isBelow(new Path(dir).toUri, _))
    val links = tops.map(top => files.linkBetween(top.toString, dir))
    if (links.forall(_.isDefined)) throw leavesRoots(dir, links.flatten)
  }

  /** Whether a URI is on this machine's own disk. */
  def isLocal(uri: URI): Boolean = Option(uri.getScheme).forall(_ == "file")

  private def isBelow(path: URI, root: URI): Boolean =
    if (isLocal(path) && isLocal(root)) realPath(path).startsWith(realPath(root))
    else
      path.getScheme == root.getScheme && path.getAuthority == root.getAuthority &&
      Paths.get(path.getPath).startsWith(Paths.get(root.getPath))

  private def realPath(uri: URI): LocalPath = {
    val path = Paths.get(uri.getPath).toAbsolutePath.normalize
    if (Files.exists(path)) path.toRealPath() else path
  }

  private def leavesRoots(dir: String, files: Seq[String]): UsageException = new UsageException(
    Explain(
      s"The model at $dir may not be called from SQL, because links lead out of its folder.",
      expected = "files below the roots, or below the folder that the operator named",
      found = Explain.listing(files.take(8)),
      hint = "copy the files behind the links into the export dir."
    )
  )

  private def noPath(path: String, cause: IllegalArgumentException): UsageException =
    new UsageException(
      Explain(
        "The name of the model is not a path.",
        expected = "a registered name, a path or a URI",
        found = s"'$path'",
        hint = "give a path such as /models/linear, or a URI such as hdfs://host/models/linear."
      ),
      Some(cause)
    )
}
