package io.tfspark.model

import java.nio.file.{AccessDeniedException, Path}

import scala.jdk.CollectionConverters._
import scala.util.control.NonFatal

import io.tfspark.error._
import io.tfspark.operations.{Finding, Lint, Randomness}
import org.tensorflow.proto.MetaGraphDef

/** One export dir of a SavedModel, read without TensorFlow's native library. Driver; serialisable.
  *
  * A broken or incomplete model is an error, never a silent change to another version. Missing
  * files are found here, because native loaders crash on them.
  *
  * @param path the export dir that holds `saved_model.pb`
  * @param name its name in reports and errors: the last folder name of the base path
  * @param version the number of its version folder, if it has one
  * @param digest SHA-256 of its files; names the model in caches and reports
  * @param size bytes of all files
  * @param signatures sorted by name
  * @param tensorflowVersion the TensorFlow that wrote it, or an empty string
  * @param findings operations that access more than tensors
  * @param random operations of its signatures that draw random numbers
  */
final case class ModelPackage(
    path: String,
    name: String,
    version: Option[Long],
    tags: Seq[String],
    digest: String,
    size: Long,
    signatures: Seq[Signature],
    tensorflowVersion: String,
    findings: Seq[Finding] = Nil,
    random: Seq[String] = Nil
) {

  /** The name of the model for messages. */
  def title: String =
    ForeignText.oneLine(
      s"$name${version.fold("")(number => s" version $number")} (${digest.take(12)})"
    )

  /** The signature with a name; by default `serving_default`. */
  def signature(name: String = Signature.Default): Signature =
    signatures.find(_.name == name).getOrElse {
      val names = signatures.map(_.name)
      val hint =
        if (names.isEmpty) "export it with signatures={'serving_default': …}."
        else s"choose one with the option signature.${Explain.didYouMean(name, names)}"
      throw new SignatureNotFoundException(
        Explain(
          s"The model at $path has no signature '$name'.",
          found = Explain.listing(names),
          hint = hint
        )
      )
    }

  /** Refuse a model with operations that access more than tensors and are not allowed. */
  def checkOperations(allowed: Set[String]): Unit = {
    val refused = findings.filterNot(one => allowed(one.op))
    if (refused.nonEmpty) {
      val more = refused.size - ModelPackage.mostListed
      val listed = refused.take(ModelPackage.mostListed).map(_.toString) ++
        Option.when(more > 0)(s"… and $more more")
      val names = refused.map(_.op).distinct.sorted.take(ModelPackage.mostListed).mkString(",")
      throw new ForbiddenOperationException(
        Explain.all(
          s"The model at $path may do more than compute",
          listed,
          hint =
            "if you trust the model, allow these operations: allowOps in Scala, " +
              s"--allow-ops $names of the job, " +
              s"or the operator's setting spark.tfspark.allowOps=$names."
        )
      )
    }
  }

  /** A readable description: the location of the model, its inputs and outputs. */
  def describe: String = {
    val number = version.fold("none")(_.toString)
    val head = s"$name version $number, $size bytes, digest ${digest.take(12)}"
    (Seq(head, s"path $path").map(ForeignText.oneLine) ++ signatures.map(_.describe)).mkString("\n")
  }
}

object ModelPackage {

  /** The default tag set. */
  val DefaultTags: Seq[String] = Seq("serve")

  /** The file that usually makes a folder a SavedModel. */
  val FileName: String = SavedModelFile.Binary

  /** Whether a folder with these names is an export dir. */
  def isExportDir(names: Iterable[String]): Boolean = SavedModelFile.isAmong(names)

  /** The most findings that a message lists; it gives the number of the others. */
  private val mostListed = 10

  /** TensorFlow's own signature for the initialisation of tables; users do not call it. */
  private val initSignature = "__saved_model_init_op"

  /** Read a SavedModel's description from disk.
    *
    * @param path one export dir, or a base path with integer version folders
    * @param version version folder to take; by default the largest number
    * @param tags tag set of the graph inside the SavedModel
    * @param pins digests that the model must have, compared before the model is read
    */
  def load(
      path: Path,
      version: Option[Long] = None,
      tags: Seq[String] = DefaultTags,
      pins: Seq[String] = Nil
  ): ModelPackage =
    try read(ExportDir.resolve(path, version), tags, pins)
    catch {
      case own: TfsparkException => throw own
      case error: AccessDeniedException =>
        throw new ModelNotFoundException(
          unreadable(
            path,
            error,
            "give this user the right to read the folder and all files in it."
          ),
          Some(error)
        )
      // A hostile file can make the parsers fail in any way; the model is invalid then.
      case error @ (NonFatal(_) | _: StackOverflowError) =>
        throw new InvalidModelException(unreadable(path, error, "export it again."), Some(error))
    }

  private def unreadable(path: Path, error: Throwable, hint: String): String =
    Explain(s"The model at $path cannot be read.", found = error.toString, hint = hint)

  /** The export dir of a path: the folder itself, or the newest version below it. */
  def exportDir(path: Path, version: Option[Long] = None): Path =
    ExportDir.resolve(path, version).path

  private def read(dir: ExportDir, tags: Seq[String], pins: Seq[String]): ModelPackage = {
    SavedModelFile.refuseTooLarge(dir.path)
    val files = ModelFiles.list(dir.path)
    val file = SavedModelFile.read(dir.path, files.toMap)
    val digest = ModelFiles.digestOf(files, Map(file.name -> file.content))
    DigestPin.check(dir.path.toString, digest, pins)
    val graph = file.graph(tags)
    MissingFiles.check(dir.path, graph)
    val named = if (dir.version.isDefined) dir.path.getParent else dir.path
    ModelPackage(
      path = dir.path.toString,
      name = named.getFileName.toString,
      version = dir.version,
      tags = tags,
      digest = digest,
      size = ModelFiles.size(dir.path),
      signatures = signatures(graph),
      tensorflowVersion = graph.getMetaInfoDef.getTensorflowVersion,
      findings = Lint.findings(graph),
      random = Randomness.operations(graph)
    )
  }

  private def signatures(graph: MetaGraphDef): Seq[Signature] =
    GraphShapes.completed(
      graph.getSignatureDefMap.asScala.toSeq.sortBy(_._1).collect {
        case (name, proto) if name != initSignature => Signature.of(name, proto)
      },
      graph.getGraphDef
    )
}
