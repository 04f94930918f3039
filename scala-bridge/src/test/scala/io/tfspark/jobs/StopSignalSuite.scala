package io.tfspark.jobs

import java.util.concurrent.{CountDownLatch, TimeUnit}

import org.scalatest.funsuite.AnyFunSuite
import sun.misc.{Signal, SignalHandler}

/** A signal interrupts the thread of the job, and decides how it ends. */
class StopSignalSuite extends AnyFunSuite {

  /** A background program of a script ignores SIGINT, and Java does not change that. */
  private def isIgnored(signal: Signal): Boolean = {
    val before = Signal.handle(signal, SignalHandler.SIG_DFL)
    Signal.handle(signal, before)
    before == SignalHandler.SIG_IGN
  }

  Seq(("TERM", "terminated", 143), ("INT", "interrupted", 130)).foreach { case (name, word, code) =>
    test(s"SIG$name ends a job with exit code $code") {
      val signal = new Signal(name)
      assume(!isIgnored(signal))
      StopSignal.during { signals =>
        assert(signals.received.isEmpty)
        Signal.raise(signal)
        intercept[InterruptedException](new CountDownLatch(1).await(60, TimeUnit.SECONDS))
        assert(signals.received.map(_.ending).contains(
          (s"$word\nHint: run the same command again.", code)
        ))
      }
    }
  }
}
