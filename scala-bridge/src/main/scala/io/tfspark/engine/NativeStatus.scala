package io.tfspark.engine

import scala.util.Using

import org.tensorflow.internal.c_api.TF_Status
import org.tensorflow.internal.c_api.global.tensorflow._

/** What TensorFlow said of a call that failed. */
final class NativeException(val code: Int, message: String) extends RuntimeException(message) {

  /** Whether there was no memory for so many rows. */
  def isOutOfMemory: Boolean = code == NativeStatus.ResourceExhausted

  /** Whether the model, not the batch, is not for a session: variables that were not restored, or
    * no such kernel.
    */
  def isAboutModel: Boolean =
    code == NativeStatus.FailedPrecondition || code == NativeStatus.Unimplemented ||
      message.contains("No OpKernel was registered")
}

/** Checks the status of each call of TensorFlow's C API. */
private[engine] object NativeStatus {
  val ResourceExhausted: Int = 8
  val FailedPrecondition: Int = 9
  val Unimplemented: Int = 12

  implicit private val release: Using.Releasable[TF_Status] =
    (status: TF_Status) => TF_DeleteStatus(status)

  /** What TensorFlow says before it lists the graph, as Python's engine cuts it. */
  private def firstLines(message: String): String =
    message.strip.linesIterator.take(6).mkString("\n")

  /** Make a call with a status, and raise what it says. */
  def check[A](call: TF_Status => A): A =
    Using.resource(TF_NewStatus()) { status =>
      val result = call(status)
      val code = TF_GetCode(status)
      if (code != 0) throw new NativeException(code, firstLines(TF_Message(status).getString))
      result
    }
}
