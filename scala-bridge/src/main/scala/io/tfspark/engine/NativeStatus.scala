package io.tfspark.engine

import scala.util.Using
import scala.util.matching.Regex

import io.tfspark.error.{Explain, ForeignText}
import org.tensorflow.internal.c_api.TF_Status
import org.tensorflow.internal.c_api.global.tensorflow._

/** The error of TensorFlow for a failed call. */
final class NativeException(val code: Int, message: String) extends RuntimeException(message) {

  /** Whether there was too little memory for the rows. */
  def isOutOfMemory: Boolean = code == NativeStatus.ResourceExhausted

  /** Whether no row can cause the failure: variables that were not restored, no such kernel or
    * device, or a call that does not fit the graph.
    */
  def isAboutModel: Boolean =
    missingOp.isDefined || notFed.isDefined || isOfGraph || !(isOutOfMemory || isOfRow)

  /** Whether a row can cause the failure. */
  def isAboutRow: Boolean = !isAboutModel && !isOutOfMemory

  /** The op without a kernel, or an unknown op, if this is the failure. */
  def missingOp: Option[String] = NativeStatus.missing.findFirstMatchIn(message).map {
    _.subgroups.flatMap(Option(_)).headOption.getOrElse("py_function")
  }

  /** The failure as text, in our own words if an op or the value of a placeholder is missing. */
  def inWords: String = {
    val found = message.linesIterator.nextOption().getOrElse("")
    val withoutKernel = missingOp.map { op =>
      Explain(
        s"The TensorFlow of this JVM has no kernel for the op '$op'.",
        found = found,
        hint = "score the model with an engine of Python, whose TensorFlow may have it."
      )
    }
    val withoutValue = notFed.map { name =>
      Explain(
        s"The model needs a value for '$name', which is not an input of its signature.",
        expected = "a signature with all placeholders that its outputs need",
        found = found,
        hint = "export the model again with that placeholder as an input, or with " +
          "tf.compat.v1.placeholder_with_default in its place."
      )
    }
    withoutKernel.orElse(withoutValue).getOrElse(message)
  }

  private def notFed: Option[String] =
    NativeStatus.unfed.findFirstMatchIn(message).map(_.group(1))

  private def isOfGraph: Boolean = NativeStatus.ofGraph.findFirstIn(message).isDefined

  private def isOfRow: Boolean =
    NativeStatus.OfRow(code) || message.contains(NativeStatus.NoElements)
}

/** Checks the status of each call of TensorFlow's C API. */
private[engine] object NativeStatus {
  val ResourceExhausted: Int = 8

  /** Codes of failures that a row can cause, as in `tfspark/engine/failure.py`: unknown, invalid
    * argument, not found, already exists, permission denied, out of range, data loss.
    */
  val OfRow: Set[Int] = Set(2, 3, 5, 6, 7, 11, 15)

  /** TensorFlow's messages for an op that cannot run here: without a kernel, or without one for a
    * device of this machine, or not registered. The last two are about a Python function. As in
    * `tfspark/engine/failure.py`.
    */
  private[engine] val missing: Regex = Seq(
    """No OpKernel was registered to support Op '([^']*)'""",
    """No registered '([^']*)' OpKernel""",
    """Could not find device for node: .*? = ([^\[]*)\[""",
    """Op type not registered '([^']*)'""",
    """Could not find callback with key=pyfunc""",
    """callback pyfunc_\d+ is not found"""
  ).mkString("|").r

  /** TensorFlow's messages for a variable that nothing restored, and for a tensor that is both fed
    * and fetched.
    */
  private[engine] val ofGraph: Regex =
    """(?:Could not find|Error while reading resource) variable \S|is both fed and fetched""".r

  /** TensorFlow's message for a placeholder that a run needs and the signature does not have. */
  private[engine] val unfed: Regex = """You must feed a value for placeholder tensor '([^']*)'""".r

  /** TensorFlow's message for a loop over a row without elements, which has another code. */
  private[engine] val NoElements: String = "TensorArray has size zero, but element shape"

  implicit private val release: Using.Releasable[TF_Status] =
    (status: TF_Status) => TF_DeleteStatus(status)

  /** TensorFlow's message without its listing of the graph, as in Python's engine. */
  private def firstLines(message: String): String =
    ForeignText.quotedLines(message.strip.linesIterator.take(6).mkString("\n"))

  /** Make a call with a status, and raise its error. */
  def check[A](call: TF_Status => A): A =
    Using.resource(TF_NewStatus()) { status =>
      val result = call(status)
      val code = TF_GetCode(status)
      if (code != 0) throw new NativeException(code, firstLines(TF_Message(status).getString))
      result
    }
}
