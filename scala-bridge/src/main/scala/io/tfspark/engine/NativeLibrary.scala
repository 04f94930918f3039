package io.tfspark.engine

import scala.util.control.NonFatal

import io.tfspark.error._
import org.bytedeco.javacpp.Loader
import org.tensorflow.internal.c_api.global.tensorflow

/** Loads TensorFlow's native library, once per JVM. Executor; also the driver if it runs a model.
  */
object NativeLibrary {

  /** Load the library; raise an error with the reason if that fails. */
  def load(): Unit = loaded.fold(throw _, identity)

  private lazy val loaded: Either[EngineException, Unit] = {
    setDefault("org.bytedeco.javacpp.cachedir", NodeFolder.root.resolve("javacpp").toString)
    // By default, JavaCPP refuses to allocate when the process is larger than a multiple of the
    // Java heap. The memory of a model is not in the heap, so a large model would exceed that
    // limit.
    setDefault("org.bytedeco.javacpp.maxBytes", "0")
    setDefault("org.bytedeco.javacpp.maxPhysicalBytes", "0")
    try {
      QuietLogs()
      Loader.load(classOf[tensorflow])
      Right(())
    } catch {
      case error @ (_: LinkageError | NonFatal(_)) => Left(refusal(error))
    }
  }

  private def setDefault(name: String, value: String): Unit =
    if (Option(System.getProperty(name)).isEmpty) { val _ = System.setProperty(name, value) }

  private def refusal(error: Throwable): EngineException = {
    val platform = Loader.Detector.getPlatform
    val resource = s"/org/tensorflow/internal/c_api/$platform/"
    val isThere = Option(getClass.getResource(resource)).isDefined
    new EngineException(
      Explain(
        "TensorFlow's native library cannot be loaded.",
        expected = s"the library for $platform in the jar",
        found = if (isThere) error.toString else s"a jar built for another platform ($error)",
        hint =
          if (isThere)
            s"make ${System.getProperty("org.bytedeco.javacpp.cachedir")} writable."
          else
            "build the bridge on this platform (make bridge), or add TensorFlow's own jar for it."
      ),
      Some(error)
    )
  }
}
