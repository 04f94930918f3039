package io.tfspark.engine

import org.apache.spark.unsafe.Platform
import org.bytedeco.javacpp.{Loader, LongPointer, Pointer}
import org.tensorflow.internal.c_api.Deallocator_Pointer_long_Pointer

/** Treats denormal numbers as zero during a run in the caller's thread, as TensorFlow does.
  * Executor, one thread.
  *
  * TensorFlow's own threads flush denormal results to zero and read denormal operands as zero. The
  * thread of a task does not, so C's `fesetenv` sets this mode for the time of a run. Java computes
  * with denormals, so no other Java code may run during this time. `tfspark/engine/denormals.py`
  * does the same in Python.
  */
final private[engine] class Denormals extends AutoCloseable {
  // 64 bytes: `fenv_t` is smaller on all platforms in `Denormals.controls`.
  private val before = new LongPointer(8L)
  private val during = new LongPointer(8L)

  /** Make one call of TensorFlow with denormals as zero, where this is possible. */
  def areZero[A](call: => A): A = Denormals.functions.fold(call) { functions =>
    functions.get(before)
    Platform.copyMemory(null, before.address, null, during.address, Denormals.Bytes)
    val control = during.address + functions.control.offset
    Platform.putInt(null, control, Platform.getInt(null, control) | functions.control.bits)
    functions.set(during)
    try call
    finally functions.set(before)
  }

  override def close(): Unit = Seq[Pointer](before, during).foreach(_.close())
}

private[engine] object Denormals {
  private val Bytes = 64L

  /** The control register in `fenv_t`, and its bits that flush results and operands. */
  final private case class Control(offset: Long, bits: Int)

  /** FTZ and DAZ of MXCSR; FZ of FPCR. The same for glibc and musl. */
  private val controls =
    Map("linux-x86_64" -> Control(28, 0x8040), "linux-arm64" -> Control(0, 1 << 24))

  /** C's `fegetenv` and `fesetenv`. JavaCPP has no binding for them, but it can call any address as
    * a deallocator of tensors. The functions read only the first of its three arguments.
    */
  final private class Functions(val control: Control, getter: Pointer, setter: Pointer) {
    private val (fegetenv, fesetenv) = (function(getter), function(setter))

    def get(environment: Pointer): Unit = fegetenv.call(environment, 0, null)
    def set(environment: Pointer): Unit = fesetenv.call(environment, 0, null)

    // JavaCPP reads the address of the function from memory, which is never freed.
    private def function(address: Pointer): Deallocator_Pointer_long_Pointer = {
      val cell = Platform.allocateMemory(8)
      Platform.putLong(null, cell, address.address)
      new Deallocator_Pointer_long_Pointer(new Pointer { this.address = cell })
    }
  }

  /** Nothing on other platforms, and if the C library does not export the functions. */
  private lazy val functions: Option[Functions] = for {
    control <- controls.get(Loader.Detector.getPlatform)
    getter <- symbol("fegetenv")
    setter <- symbol("fesetenv")
  } yield new Functions(control, getter, setter)

  /** Whether runs in the caller's thread can treat denormals as zero. */
  def canBeZero: Boolean = functions.isDefined

  private def symbol(name: String): Option[Pointer] =
    try Option(Loader.addressof(name))
    catch { case _: LinkageError => None }
}
