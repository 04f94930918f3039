package io.tfspark.engine

import java.nio.charset.StandardCharsets

import org.apache.spark.unsafe.Platform
import org.bytedeco.javacpp.Loader
import org.bytedeco.javacpp.presets

/** Keeps TensorFlow's notes and warnings off standard error; a level that the user set wins. Before
  * TensorFlow's library is loaded.
  *
  * TensorFlow takes the level from the environment of the process, which Java reads and cannot
  * change. POSIX lets a program put another list in the place of `environ`: here the same variables
  * and one more. Nothing happens where the C library does not show that name (Windows, macOS), and
  * beside the thin jar, which comes without the library of JavaCPP's that finds it.
  */
private[engine] object QuietLogs {
  private val variable = "TF_CPP_MIN_LOG_LEVEL"
  private val errorsOnly = s"$variable=2"

  def apply(): Unit =
    if (!sys.env.contains(variable)) {
      val environ =
        try {
          Loader.load(classOf[presets.javacpp])
          Option(Loader.addressof("environ")).fold(0L)(_.address)
        } catch { case _: LinkageError => 0L }
      if (environ != 0) add(environ, errorsOnly)
    }

  /** Lists and texts stay where they are for as long as the process lives. */
  private def add(environ: Long, entry: String): Unit = {
    val old = Platform.getLong(null, environ)
    val count =
      if (old == 0) 0 else Iterator.iterate(old)(_ + 8).indexWhere(Platform.getLong(null, _) == 0)
    val list = Platform.allocateMemory((count + 2) * 8L)
    Platform.copyMemory(null, old, null, list, count * 8L)
    Platform.putLong(null, list + count * 8L, text(entry))
    Platform.putLong(null, list + (count + 1) * 8L, 0)
    // One write: who reads the environment meanwhile finds the one list or the other.
    Platform.putLong(null, environ, list)
  }

  private def text(entry: String): Long = {
    val bytes = s"$entry\u0000".getBytes(StandardCharsets.US_ASCII)
    val memory = Platform.allocateMemory(bytes.length.toLong)
    Platform.copyMemory(bytes, Platform.BYTE_ARRAY_OFFSET.toLong, null, memory, bytes.length.toLong)
    memory
  }
}
