package io.tfspark.model

import java.nio.ByteBuffer
import java.nio.charset.{CharacterCodingException => NotText}
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path}

import scala.jdk.CollectionConverters._

import com.google.protobuf.{InvalidProtocolBufferException, TextFormat, TypeRegistry}
import com.google.protobuf.TextFormat.ParseException
import io.tfspark.error._
import org.tensorflow.proto.{AssetFileDef, MetaGraphDef, SavedModel}

/** Reads the file with the graph of a SavedModel, binary or text, with protobuf alone. Driver.
  *
  * If both files exist, the binary file is read, as TensorFlow does.
  */
private[model] object SavedModelFile {

  val Binary: String = "saved_model.pb"
  private val text: String = "saved_model.pbtxt"

  /** A graph in chunks. If other graph files exist too, it depends on TensorFlow's version which
    * file it reads.
    */
  private val chunked: String = "saved_model.cpb"

  /** TensorFlow 1 lists assets as messages of the type `Any`. */
  private val assets = TypeRegistry.newBuilder().add(AssetFileDef.getDescriptor).build()

  private val again = "export it again; tfspark never uses an older version in its place."

  /** Whether a folder with these names is an export dir. */
  def isAmong(names: Iterable[String]): Boolean = names.exists(Set(Binary, text))

  /** Whether a folder is an export dir. */
  def isIn(dir: Path): Boolean = fileIn(dir).isDefined

  /** Refuse a graph file that is too large for a protocol buffer. */
  def refuseTooLarge(dir: Path): Unit = fileIn(dir).foreach { file =>
    val size = Files.size(file)
    if (size > Int.MaxValue)
      throw new InvalidModelException(
        Explain(
          s"$file is too large for a SavedModel.",
          expected = s"at most ${Int.MaxValue} bytes, the limit of protocol buffers",
          found = s"$size bytes",
          hint = again
        )
      )
  }

  /** Read the file that TensorFlow would read, once: graph and digest come from the same bytes.
    *
    * @param files relative name → path of every file of the folder; the digest must cover the same
    *   files, otherwise somebody could add another graph file in between
    */
  def read(dir: Path, files: Map[String, Path]): SavedModelFile = {
    if (files.contains(chunked))
      throw new InvalidModelException(
        Explain(
          s"$dir holds $chunked, a graph in chunks, which tfspark cannot read.",
          expected = Binary,
          hint = "export it again without experimental_image_format, into an empty folder."
        )
      )
    val found = Seq(Binary, text).flatMap(files.get).headOption
    val file = found.getOrElse(throw new InvalidModelException(
      Explain(s"$dir holds no $Binary.", expected = dir.resolve(Binary).toString, hint = again)
    ))
    new SavedModelFile(file, Files.readAllBytes(file))
  }

  private def fileIn(dir: Path): Option[Path] =
    Seq(Binary, text).map(dir.resolve).find(Files.isRegularFile(_))
}

/** The content of the file with the graph of a SavedModel, read once.
  *
  * @param path the file, for messages
  * @param content its bytes, from which both the graph and the digest are taken
  */
final private[model] class SavedModelFile(path: Path, val content: Array[Byte]) {
  import SavedModelFile._

  /** Its relative name in the export dir. */
  val name: String = path.getFileName.toString

  /** The graph of a tag set. */
  def graph(tags: Seq[String]): MetaGraphDef = {
    val dir = path.getParent
    val graphs = parse().getMetaGraphsList.asScala.toSeq
    if (graphs.isEmpty)
      throw new InvalidModelException(
        Explain(s"$path holds no graph.", found = s"${content.length} bytes", hint = again)
      )
    val fitting = graphs.filter(_.getMetaInfoDef.getTagsList.asScala.toSet == tags.toSet)
    if (fitting.sizeIs > 1)
      throw new InvalidModelException(
        Explain(
          s"The model at $dir has ${fitting.size} graphs with one tag set.",
          found = Explain.listing(tags),
          hint = again
        )
      )
    fitting.headOption.getOrElse {
      throw new SignatureNotFoundException(
        Explain(
          s"The model at $dir has no graph with the tag set ${Explain.listing(tags)}.",
          found = graphs.map(one =>
            Explain.listing(one.getMetaInfoDef.getTagsList.asScala)
          ).mkString("; "),
          hint = "name one of these with the option tags."
        )
      )
    }
  }

  private def parse(): SavedModel =
    try
      if (name == Binary) SavedModel.parseFrom(content)
      else {
        val builder = SavedModel.newBuilder()
        // A newer TensorFlow may have written fields that this version does not know.
        val parser = TextFormat.Parser.newBuilder().setAllowUnknownFields(true)
        val characters: CharSequence = UTF_8.newDecoder().decode(ByteBuffer.wrap(content))
        parser.setTypeRegistry(assets).build().merge(characters, builder)
        builder.build()
      }
    catch {
      case error @ (_: InvalidProtocolBufferException | _: ParseException | _: NotText) =>
        throw new InvalidModelException(
          Explain(
            s"$path is not a whole SavedModel.",
            expected = "a SavedModel protocol buffer",
            found = s"${content.length} bytes that do not parse; the file may be cut off",
            hint = again
          ),
          Some(error)
        )
    }
}
