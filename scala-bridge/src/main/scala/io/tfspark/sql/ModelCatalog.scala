package io.tfspark.sql

import java.net.URI
import java.nio.file.{Files, Path, Paths}
import java.util.{Collections, LinkedHashMap}

import io.tfspark.ScoreOptions
import io.tfspark.engine.{AsideFolder, NodeFolder, RemoteFiles, RemoteFolders}
import io.tfspark.error._
import io.tfspark.model._
import org.apache.hadoop.conf.Configuration

/** A model and the location of its export dir: on a disk, or on one of Hadoop's file systems.
  * Driver; serialisable.
  */
final case class LocatedModel(model: ModelPackage, remote: Option[String])

/** Finds and describes the models that SQL names. Driver.
  *
  * A description is cached as long as the files of the export dir keep their names, lengths and
  * times; a model that is exported again is read again.
  */
object ModelCatalog {
  private type Key = (String, Seq[String])
  private type Fingerprint = Seq[(String, Long, Long)]
  private val most = 64
  private val known = Collections.synchronizedMap(
    new LinkedHashMap[Key, (Fingerprint, LocatedModel)](16, 0.75f, true) {
      override def removeEldestEntry(eldest: java.util.Map.Entry[
        Key,
        (Fingerprint, LocatedModel)
      ]): Boolean =
        size > most
    }
  )

  /** The model with a registered name, or at a path below the roots. */
  def ofUser(nameOrPath: String, options: ScoreOptions, conf: Configuration): LocatedModel = {
    val names = BridgeConf.registered
    names.get(nameOrPath) match {
      case Some(path) => ofName(nameOrPath, path, options, conf)
      case None =>
        ModelRoots.check(nameOrPath, BridgeConf.roots, names.keys, conf)
        found(Search(nameOrPath, options, conf, Some(BridgeConf.roots)))
    }
  }

  /** The model with a name that the operator registered for a path. */
  def ofName(
      name: String,
      path: String,
      options: ScoreOptions,
      conf: Configuration
  ): LocatedModel =
    found(Search(path, options, conf, Some(path +: BridgeConf.roots), BridgeConf.pin(name)))

  /** The model with a registered name, or at a path that the operator configured. */
  def ofOperator(nameOrPath: String, options: ScoreOptions, conf: Configuration): LocatedModel =
    BridgeConf.registered.get(nameOrPath) match {
      case Some(path) => ofName(nameOrPath, path, options, conf)
      case None => found(Search(nameOrPath, options, conf, Some(nameOrPath +: BridgeConf.roots)))
    }

  /** The model at a path that the caller trusts; its version and tags come from the options. */
  def at(path: String, options: ScoreOptions, conf: Configuration): LocatedModel =
    found(Search(path, options, conf))

  /** The description of a model that will not be loaded; its operations are not checked. */
  def described(path: String, options: ScoreOptions, conf: Configuration): LocatedModel =
    read(Search(path, options, conf))

  /** A model that will be loaded; its operations are checked first. */
  private def found(search: Search): LocatedModel = {
    val located = read(search)
    located.model.checkOperations(search.options.allowOps.toSet ++ BridgeConf.allowOps)
    located
  }

  private def read(search: Search): LocatedModel = {
    import search._
    val uri = ModelRoots.qualified(path, conf)
    if (ModelRoots.isLocal(uri)) {
      val base = Paths.get(uri.getPath)
      val dir = ModelPackage.exportDir(base, options.version)
      within.foreach(ModelRoots.checkFiles(dir, _, conf))
      local(dir, base, options, pins)
    } else
      RemoteFiles(conf).opened(uri.toString) { files =>
        val (dir, number) = remoteExportDir(uri, options.version, files)
        within.foreach(ModelRoots.checkFolders(dir, _, conf, files))
        remote(dir, number, options, pins, files)
      }
  }

  /** A model to find, and the conditions that it must satisfy.
    *
    * @param within folders that links must not leave; none when the caller is trusted
    * @param pin the operator's digest, in addition to that of the options
    */
  final private case class Search(
      path: String,
      options: ScoreOptions,
      conf: Configuration,
      within: Option[Seq[String]] = None,
      pin: Option[String] = None
  ) {
    def pins: Seq[String] = pin.toSeq ++ options.sha256.map(DigestPin.parse("sha256", _))
  }

  private def local(
      dir: Path,
      base: Path,
      options: ScoreOptions,
      pins: Seq[String]
  ): LocatedModel =
    remembered(dir.toString, options.tags, ModelFiles.fingerprint(dir), pins) {
      LocatedModel(ModelPackage.load(base, options.version, options.tags, pins), None)
    }

  private def remote(
      dir: String,
      number: Option[Long],
      options: ScoreOptions,
      pins: Seq[String],
      files: RemoteFolders
  ): LocatedModel =
    remembered(dir, options.tags, files.fingerprint(dir), pins) {
      AsideFolder.use("driver") { aside =>
        // The copy has the same folder names, because name and version of the model come from them.
        val base = Files.createDirectories(aside.resolve(nameOf(dir, number)))
        val copy = number.fold(base)(one => Files.createDirectory(base.resolve(one.toString)))
        files.copy(dir, copy)
        val read = ModelPackage.load(copy, tags = options.tags, pins = pins)
        val kept = NodeFolder.of(read.digest, read.size)(files.copy(dir, _))
        LocatedModel(read.copy(path = kept.toString), Some(dir))
      }
    }

  private def nameOf(dir: String, number: Option[Long]): String = {
    val parts = dir.split('/').filter(_.nonEmpty)
    (if (number.isDefined) parts.dropRight(1) else parts).lastOption.getOrElse("model")
  }

  private def remoteExportDir(
      uri: URI,
      version: Option[Long],
      files: RemoteFolders
  ): (String, Option[Long]) = {
    val path = uri.toString.stripSuffix("/")
    val entries = files.entries(path)
    val own = path.split('/').lastOption.filter(_.matches("[0-9]{1,18}")).map(_.toLong)
    val numbers = entries.filter(_.matches("[0-9]{1,18}"))
    if (ModelPackage.isExportDir(entries)) (path, own)
    else
      numbers.filter(one => version.forall(_ == one.toLong)).maxByOption(_.toLong) match {
        case Some(number) => (s"$path/$number", Some(number.toLong))
        case None =>
          throw new ModelNotFoundException(
            Explain(
              s"There is no SavedModel in $path.",
              expected =
                version.fold(s"${ModelPackage.FileName}, or version folders named 1, 2, …")(one =>
                  s"version $one"
                ),
              found = if (entries.isEmpty) "nothing" else Explain.listing(entries.sorted.take(8)),
              hint = "give the folder of one exported model, or the base path above its versions."
            )
          )
      }
  }

  private def remembered(
      dir: String,
      tags: Seq[String],
      fingerprint: Fingerprint,
      pins: Seq[String]
  )(read: => LocatedModel): LocatedModel =
    Option(known.get(dir -> tags)).filter(_._1 == fingerprint) match {
      case Some((_, found)) =>
        DigestPin.check(dir, found.model.digest, pins)
        found
      case None =>
        val found = read
        known.put(dir -> tags, fingerprint -> found)
        found
    }
}
