package io.tfspark.jobs

import java.util.concurrent.atomic.AtomicReference

import io.tfspark.error.Explain
import org.apache.spark.sql.SparkSession
import sun.misc.{Signal, SignalHandler}

/** A signal that ends a job: SIGTERM, or SIGINT from Ctrl-C. */
final private[jobs] case class StopSignal(name: String, word: String, code: Int) {

  /** The message and the exit code of a job that this signal ended. */
  def ending: (String, Int) = (Explain(word, hint = "run the same command again."), code)
}

/** The first signal that a job received. */
final private[jobs] class StopSignals {
  private val first = new AtomicReference[Option[StopSignal]](None)

  def received: Option[StopSignal] = first.get

  /** Remember a signal; false when there was one before. */
  private[jobs] def isFirst(signal: StopSignal): Boolean =
    first.compareAndSet(None, Some(signal))
}

/** Turns signals into an interrupt of the thread that runs a job. Driver.
  *
  * The job then ends as after any other failure: it releases the lock and removes its staged files,
  * but keeps a decision. Without this, the JVM would end at once, and the lock would stay until the
  * next job detects that the process has ended. A second signal ends the JVM as usual.
  */
private[jobs] object StopSignal {
  private val all =
    Seq(StopSignal("TERM", "terminated", 143), StopSignal("INT", "interrupted", 130))

  /** Run a block whose thread is interrupted by signals. */
  def during[A](body: StopSignals => A): A = {
    val (signals, thread) = (new StopSignals, Thread.currentThread)
    val before = all.map(one => one -> handle(one.name, _ => stop(signals, one, thread)))
    try body(signals)
    finally before.foreach { case (one, handler) => handler.foreach(restore(one.name, _)) }
  }

  private def stop(signals: StopSignals, signal: StopSignal, thread: Thread): Unit =
    if (signals.isFirst(signal)) {
      all.foreach(one => restore(one.name, SignalHandler.SIG_DFL))
      SparkSession.getDefaultSession.foreach(_.sparkContext.cancelAllJobs())
      thread.interrupt()
    }

  /** Returns the previous handler; none if the JVM does not let programs handle the signal
    * (`-Xrs`).
    */
  private def handle(name: String, handler: SignalHandler): Option[SignalHandler] =
    try Some(Signal.handle(new Signal(name), handler))
    catch { case _: IllegalArgumentException => None }

  private def restore(name: String, handler: SignalHandler): Unit = handle(name, handler): Unit
}
