package io.tfspark.engine

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Paths}

import scala.util.Using

import io.tfspark.error._
import io.tfspark.model.DType
import org.bytedeco.javacpp.PointerPointer
import org.tensorflow.internal.c_api._
import org.tensorflow.internal.c_api.global.tensorflow._
import org.tensorflow.proto.{MetaGraphDef, SaverDef}

/** Restores a checkpoint in the first format of TensorFlow (2016): one file, without an index.
  * Executor.
  *
  * TensorFlow's C API looks only for the index, and leaves the variables without values. Its Python
  * API runs the saver of the graph; so does this object.
  */
private[engine] object OldCheckpoint {

  /** Whether an export dir has such a checkpoint, and no checkpoint in another format. */
  def isIn(exportDir: String): Boolean = {
    val folder = Paths.get(exportDir, "variables")
    Files.isRegularFile(folder.resolve("variables")) &&
    !Files.exists(folder.resolve("variables.index"))
  }

  /** Give the variables of a session their values.
    *
    * @param description the `MetaGraphDef` of the session
    */
  def restore(
      exportDir: String,
      description: Array[Byte],
      session: TF_Session,
      graph: TF_Graph
  ): Unit = {
    val saver = MetaGraphDef.parseFrom(description).getSaverDef
    if (saver.getRestoreOpName.nonEmpty) run(saver, file(exportDir), session, graph)
  }

  private def file(exportDir: String): NativeTensor = {
    val name = Paths.get(exportDir, "variables", "variables").toString.getBytes(UTF_8)
    val ends = IndexedSeq(0, name.length + 1)
    val text = DType.of("string").getOrElse(throw new IllegalStateException("no type of strings"))
    NativeTensor.strings(text, Nil, name :+ 0.toByte, ends, count = 1, perRow = 1)
  }

  private def run(saver: SaverDef, file: NativeTensor, session: TF_Session, graph: TF_Graph): Unit =
    Using.Manager { use =>
      use(file)
      val none: TF_Buffer = null
      val noOutputs: TF_Output = null
      val noResults: PointerPointer[TF_Tensor] = null
      // TensorFlow itself does not check that the operations exist.
      def operation(name: String): TF_Operation =
        Option(TF_GraphOperationByName(graph, name)).getOrElse(throw lacks(name))
      val name = saver.getFilenameTensorName.takeWhile(_ != ':')
      val input = use(new TF_Output(1)).oper(operation(name)).index(0)
      val fed = use(new PointerPointer[TF_Tensor](1L)).put(0, file.handle)
      val restore = use(new PointerPointer[TF_Operation](1L)).put(
        0,
        operation(saver.getRestoreOpName)
      )
      NativeStatus.check(
        TF_SessionRun(
          session,
          none,
          input,
          fed,
          1,
          noOutputs,
          noResults,
          0,
          restore,
          1,
          none,
          _
        )
      )
    }.get

  private def lacks(operation: String): EngineException =
    new EngineException(
      Explain(
        "The graph of the model lacks an operation that restores its variables.",
        expected = s"the operation '$operation', which the saver of the model uses",
        hint = "export the model again."
      )
    )
}
