package io.tfspark.engine

import java.nio.file.{FileAlreadyExistsException, Files, Path, Paths, StandardOpenOption}

import io.tfspark.error._
import io.tfspark.model.{ModelFiles, ModelWalk}
import org.apache.spark.SparkContext
import org.apache.spark.broadcast.Broadcast

/** Where an executor finds a model. Only bytes or a path are sent, never a live session.
  * Serialisable.
  */
sealed trait ModelSource {

  /** The export dir on this machine; copied here first if necessary. */
  def locate(digest: String, size: Long): Path
}

object ModelSource {

  /** A path that exists on every machine: a shared file system, or a single machine. */
  final case class Shared(path: String) extends ModelSource {
    def locate(digest: String, size: Long): Path = {
      val folder = Paths.get(path)
      if (!Files.isDirectory(folder))
        throw new ModelNotFoundException(
          Explain(
            s"A worker does not see the model folder $folder.",
            expected = "a path that every machine of the cluster sees",
            hint = "leave spark.tfspark.distribute=path out, so that Spark carries the model."
          )
        )
      NodeFolder.check(folder, digest)
      folder
    }
  }

  /** A folder on one of Hadoop's file systems, copied once per node. */
  final case class Remote(uri: String, files: RemoteFiles) extends ModelSource {
    def locate(digest: String, size: Long): Path = NodeFolder.of(digest, size)(files.copy(uri, _))
  }

  /** The files themselves, sent by Spark from executor to executor; unpacked once per node. */
  final case class Packed(files: PackedModel) extends ModelSource {
    def locate(digest: String, size: Long): Path = NodeFolder.of(digest, size)(files.unpack)
  }
}

/** The files of an export dir in pieces. Each piece is a separate broadcast, and Spark moves
  * broadcasts to disk when memory is full, so neither driver nor executor holds a whole model in
  * its heap. Serialisable.
  */
final case class PackedModel(files: Seq[(String, Seq[Broadcast[Array[Byte]]])]) {

  /** Remove the pieces from the executors; an executor that needs them fetches them again. */
  def unpersist(): Unit = files.flatMap(_._2).foreach(_.unpersist())

  /** Write the files into a folder. */
  def unpack(folder: Path): Unit = {
    val walk = new ModelWalk(folder.toString)
    files.foreach { case (name, pieces) =>
      walk.meet(name)
      val file = folder.resolve(name)
      Files.createDirectories(file.getParent)
      try { val _ = Files.createFile(file) }
      catch {
        case error: FileAlreadyExistsException =>
          throw walk.refusal(name, "a file that is there twice", "pack it again.", Some(error))
      }
      pieces.foreach(piece => Files.write(file, piece.value, StandardOpenOption.APPEND))
    }
  }
}

object PackedModel {

  /** Read and send all files of an export dir. */
  def of(exportDir: Path, context: SparkContext): PackedModel =
    PackedModel(ModelFiles.list(exportDir).map { case (name, file) =>
      name -> ModelFiles.pieces(file)(context.broadcast(_))
    })
}
