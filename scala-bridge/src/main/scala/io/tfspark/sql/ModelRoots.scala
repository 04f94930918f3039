package io.tfspark.sql

import java.net.URI
import java.nio.file.{Files, Path => LocalPath, Paths}

import io.tfspark.error._
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.Path

/** Which paths SQL users may call. Driver.
  *
  * A model is a program, and SQL users are many: a path counts only below one of the operator's
  * roots, after links and `..` are resolved.
  */
private[sql] object ModelRoots {

  /** The whole URI of a path on its file system. */
  def qualified(path: String, conf: Configuration): URI = {
    val named = new Path(path)
    named.getFileSystem(conf).makeQualified(named).toUri.normalize
  }

  /** Refuse a path that is below no root. */
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

  private def isBelow(path: URI, root: URI): Boolean =
    if (isLocal(path) && isLocal(root)) real(path).startsWith(real(root))
    else
      path.getScheme == root.getScheme && path.getAuthority == root.getAuthority &&
      Paths.get(path.getPath).startsWith(Paths.get(root.getPath))

  /** Whether a URI is of this machine's own disk. */
  def isLocal(uri: URI): Boolean = Option(uri.getScheme).forall(_ == "file")

  private def real(uri: URI): LocalPath = {
    val path = Paths.get(uri.getPath).toAbsolutePath.normalize
    if (Files.exists(path)) path.toRealPath() else path
  }
}
