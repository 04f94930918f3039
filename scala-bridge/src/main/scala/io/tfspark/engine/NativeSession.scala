package io.tfspark.engine

import scala.util.Using

import io.tfspark.error._
import io.tfspark.model._
import org.bytedeco.javacpp.{BytePointer, PointerPointer}
import org.tensorflow.internal.c_api._
import org.tensorflow.internal.c_api.global.tensorflow._
import org.tensorflow.proto.{ConfigProto, GPUOptions}

/** A SavedModel in memory: one graph and one session, which many threads may run. Executor.
  *
  * TensorFlow Java's own `Session` does not support int8, int16 or uint32. So this class calls the
  * C API, as tfspark's Python engine does: the same calls, kernels and numbers.
  *
  * @param modelBytes the size of the model's files; 0 if it is unknown
  */
final class NativeSession private (session: TF_Session, graph: TF_Graph, modelBytes: Long)
    extends AutoCloseable {

  /** A runner of one signature, for one thread. */
  def runner(signature: Signature): SignatureRunner =
    new SignatureRunner(session, graph, signature, modelBytes)

  override def close(): Unit = {
    try NativeSession.delete(session)
    finally TF_DeleteGraph(graph)
  }
}

object NativeSession {
  implicit private val releaseOptions: Using.Releasable[TF_SessionOptions] =
    (options: TF_SessionOptions) => TF_DeleteSessionOptions(options)

  implicit private val releaseBuffer: Using.Releasable[TF_Buffer] =
    (buffer: TF_Buffer) => TF_DeleteBuffer(buffer)

  /** Load an export dir; its tables are initialised and its variables restored. */
  def load(
      exportDir: String,
      tags: Seq[String],
      threads: Int,
      modelBytes: Long = 0
  ): NativeSession = {
    NativeLibrary.load()
    val graph = TF_NewGraph()
    try new NativeSession(open(exportDir, tags, threads, graph), graph, modelBytes)
    catch {
      case error: Throwable =>
        TF_DeleteGraph(graph)
        throw loadError(exportDir, error)
    }
  }

  private def loadError(exportDir: String, error: Throwable): Throwable = error match {
    case native: NativeException =>
      new EngineException(
        Explain(
          s"TensorFlow's C API cannot load the model at $exportDir.",
          found = native.inWords
        ),
        Some(native)
      )
    case other => other
  }

  private def delete(session: TF_Session): Unit = NativeStatus.check { status =>
    TF_CloseSession(session, status)
    TF_DeleteSession(session, status)
  }

  private def open(
      exportDir: String,
      tags: Seq[String],
      threads: Int,
      graph: TF_Graph
  ): TF_Session =
    Using.Manager { use =>
      val options = use(TF_NewSessionOptions())
      val bytes = config(threads).toByteArray
      val settings = use(new BytePointer(bytes: _*))
      NativeStatus.check(TF_SetConfig(options, settings, bytes.length.toLong, _))
      val folder = use(new BytePointer(exportDir))
      val names = use(new PointerPointer[BytePointer](tags: _*))
      val none: TF_Buffer = null
      val description = use(TF_NewBuffer())
      val session = NativeStatus.check(
        TF_LoadSessionFromSavedModel(options, none, folder, names, tags.size, graph, description, _)
      )
      if (OldCheckpoint.isIn(exportDir)) {
        val bytes = new Array[Byte](description.length.toInt)
        new BytePointer(description.data).get(bytes)
        try OldCheckpoint.restore(exportDir, bytes, session, graph)
        catch {
          case error: Throwable =>
            delete(session)
            throw error
        }
      }
      session
    }.get

  /** One intra-op thread per task CPU, and operations in the caller's thread; the environment wins.
    *
    * Passing operations to threads of the session takes time in each run. But if the mode of the
    * caller's thread cannot be changed, only these threads treat denormals as zero, as Python does.
    */
  private def config(threads: Int): ConfigProto = {
    def unlessSet(variable: String, value: Int) = if (sys.env.contains(variable)) 0 else value
    val ofSession = if (Denormals.canBeZero) -1 else Runtime.getRuntime.availableProcessors
    val interOp = unlessSet("TF_NUM_INTEROP_THREADS", ofSession)
    ConfigProto
      .newBuilder()
      .setIntraOpParallelismThreads(unlessSet("TF_NUM_INTRAOP_THREADS", threads))
      .setInterOpParallelismThreads(interOp)
      // TensorFlow uses the caller's thread only if the session has no threads of its own.
      .setUsePerSessionThreads(interOp >= 0)
      .setGpuOptions(GPUOptions.newBuilder().setAllowGrowth(true))
      .setAllowSoftPlacement(true)
      .build()
  }
}

/** Feeds and fetches the graph tensors that a signature names. Executor, one thread; other threads
  * may use the same session.
  *
  * Only `close` may be called from another thread, for example when a task ends while a thread that
  * Spark started for it still scores. `close` waits for a run in progress; later runs are refused.
  */
final class SignatureRunner private[engine] (
    session: TF_Session,
    graph: TF_Graph,
    signature: Signature,
    val modelBytes: Long
) extends AutoCloseable {
  private val fed = signature.inputs.map(_.tensor)
  // A session refuses to fetch a tensor that is fed; types outside the table cannot be decoded.
  private val fetched =
    signature.outputs.filter(spec => !fed.contains(spec.tensor) && DType.of(spec.dtype).isDefined)
  private val inputs = typed(ends(signature.inputs))
  private val outputs = ends(fetched)
  private val feeds = new PointerPointer[TF_Tensor](math.max(1, signature.inputs.size).toLong)
  private val results = new PointerPointer[TF_Tensor](math.max(1, fetched.size).toLong)
  private val denormals = new Denormals
  private var isClosed = false

  /** Run one batch and pass its outputs, by name, to `use`; they are released afterwards.
    *
    * @param tensors one per input, in the signature's order
    */
  def run[A](tensors: Seq[NativeTensor])(use: Map[String, NativeTensor] => A): A = synchronized {
    if (isClosed) throw SignatureRunner.ended(signature)
    tensors.zipWithIndex.foreach { case (tensor, index) => feeds.put(index.toLong, tensor.handle) }
    if (fetched.nonEmpty) call()
    Using.Manager { manage =>
      val owned = fetched.indices.map { index =>
        manage(NativeTensor.owned(results.get(classOf[TF_Tensor], index.toLong)))
      }
      val passed = signature.outputs.flatMap { spec =>
        Option(fed.indexOf(spec.tensor)).filter(_ >= 0).map(index => spec.name -> tensors(index))
      }
      use(fetched.map(_.name).zip(owned).toMap ++ passed)
    }.get
  }

  override def close(): Unit = synchronized {
    if (!isClosed) Seq(inputs, outputs, feeds, results, denormals).foreach(_.close())
    isClosed = true
  }

  private def call(): Unit = {
    val none: TF_Buffer = null
    val noTargets: PointerPointer[TF_Operation] = null
    val count = signature.inputs.size
    NativeStatus.check { status =>
      denormals.areZero {
        TF_SessionRun(
          session,
          none,
          inputs,
          feeds,
          count,
          outputs,
          results,
          fetched.size,
          noTargets,
          0,
          none,
          status
        )
      }
    }
  }

  /** Refuse inputs with another type in the graph; each run would seem to fail because of a row. */
  private def typed(found: TF_Output): TF_Output = {
    signature.inputs.zipWithIndex.foreach { case (spec, position) =>
      val number = TF_OperationOutputType(found.position(position.toLong)) % DType.Reference
      if (DType.nameOf(number) != spec.dtype) throw SignatureRunner.other(spec, number)
    }
    found.position(0)
  }

  private def ends(specs: Seq[TensorSpec]): TF_Output = {
    val found = new TF_Output(math.max(1, specs.size).toLong)
    specs.zipWithIndex.foreach { case (spec, position) =>
      val (name, index) = spec.tensor.split(':') match {
        case Array(one, number) => (one, number.toIntOption.getOrElse(-1))
        case _ => (spec.tensor, 0)
      }
      // TensorFlow itself does not check the index.
      val operation = Option(TF_GraphOperationByName(graph, name))
        .filter(found => index >= 0 && TF_OperationNumOutputs(found) > index)
      found.position(
        position.toLong
      ).oper(operation.getOrElse(throw SignatureRunner.lacks(spec))).index(index)
    }
    found.position(0)
  }
}

private object SignatureRunner {
  private def ended(signature: Signature): EngineException =
    new EngineException(
      Explain(
        s"Signature '${signature.name}' cannot be run any more.",
        expected = "a run within the task that opened the model",
        found = "the task has ended, or the model was closed"
      )
    )

  private def other(spec: TensorSpec, number: Int): EngineException =
    new EngineException(
      Explain(
        s"Input '${spec.name}' of the signature has another type in the graph.",
        expected = spec.dtype,
        found = DType.nameOf(number),
        hint = "export the model again."
      )
    )

  private def lacks(spec: TensorSpec): EngineException =
    new EngineException(
      Explain(
        "The graph of the model lacks a tensor of its signature.",
        expected = s"$spec at ${spec.tensor}"
      )
    )
}
