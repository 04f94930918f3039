package io.tfspark.engine

import java.nio.charset.StandardCharsets

import org.apache.spark.unsafe.Platform
import org.bytedeco.javacpp.Loader
import org.bytedeco.javacpp.presets

/** Keeps TensorFlow's notes and warnings off standard error, unless the user set a log level.
  * Called before TensorFlow's library is loaded.
  *
  * TensorFlow reads the level from the environment of the process. Java cannot change that
  * environment, but POSIX lets a program replace the list `environ`: here by the same variables and
  * one more. Nothing is changed if the C library does not export that name (Windows, macOS), or
  * with the thin jar, which does not contain the JavaCPP library that looks it up.
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

  /** The list and its texts are never freed. */
  private def add(environ: Long, entry: String): Unit = {
    val old = Platform.getLong(null, environ)
    val count =
      if (old == 0) 0 else Iterator.iterate(old)(_ + 8).indexWhere(Platform.getLong(null, _) == 0)
    val list = Platform.allocateMemory((count + 2) * 8L)
    Platform.copyMemory(null, old, null, list, count * 8L)
    Platform.putLong(null, list + count * 8L, text(entry))
    Platform.putLong(null, list + (count + 1) * 8L, 0)
    // One write, so a concurrent reader of the environment sees either the old or the new list.
    Platform.putLong(null, environ, list)
  }

  private def text(entry: String): Long = {
    val bytes = s"$entry\u0000".getBytes(StandardCharsets.US_ASCII)
    val memory = Platform.allocateMemory(bytes.length.toLong)
    Platform.copyMemory(bytes, Platform.BYTE_ARRAY_OFFSET.toLong, null, memory, bytes.length.toLong)
    memory
  }
}
