package io.tfspark.jobs

import java.io.IOException

import org.apache.spark.SparkException
import org.scalatest.funsuite.AnyFunSuite

/** The exit codes of errors that tfspark does not raise on purpose. */
class FailureSuite extends AnyFunSuite {

  test("failed I/O, which another run may not meet, is told from a bug") {
    val full = new IOException("No space left on device")
    val (message, code) = Failure.of(new SparkException("Job aborted.", full))
    assert(code == 74 && message.contains("No space left on device"), message)
    assert(Failure.of(new IllegalStateException("a bug"))._2 == 70)
  }
}
