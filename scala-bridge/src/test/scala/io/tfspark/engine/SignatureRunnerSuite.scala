package io.tfspark.engine

import java.nio.{ByteBuffer, ByteOrder}
import java.nio.file.Paths
import java.util.concurrent.FutureTask

import scala.annotation.tailrec
import scala.util.Using

import io.tfspark.{SparkSuite, TestModels}
import io.tfspark.error.EngineException
import io.tfspark.model.{DType, ModelPackage}
import org.apache.spark.TaskContext
import org.apache.spark.unsafe.Platform

/** Runs the model 2·x0 − x1 + 3. */
class SignatureRunnerSuite extends SparkSuite {
  private val linear = ModelPackage.load(Paths.get(TestModels.path("linear")))
  private val key =
    SessionKey(linear.digest, linear.tags, ModelSource.Shared(linear.path), linear.size, 1)

  private def row: NativeTensor = {
    val bytes = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder).putFloat(1f).putFloat(2f)
    val start = Platform.BYTE_ARRAY_OFFSET.toLong
    NativeTensor.numbers(DType.of("float32").get, Seq(1L, 2L), bytes.array, start, 8)
  }

  private def result(output: NativeTensor): Float = {
    val bytes = new Array[Byte](4)
    output.read(bytes, Platform.BYTE_ARRAY_OFFSET.toLong, 4)
    ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder).getFloat
  }

  private def score(runner: SignatureRunner): Float =
    Using.resource(row)(fed => runner.run(Seq(fed))(outputs => result(outputs("outputs"))))

  @tailrec
  private def settled(thread: Thread): Thread.State = thread.getState match {
    case state @ (Thread.State.BLOCKED | Thread.State.WAITING | Thread.State.TERMINATED) => state
    case _ =>
      Thread.onSpinWait()
      settled(thread)
  }

  test("a run after close is refused, and a second close does nothing") {
    Using.resource(NativeSession.load(linear.path, linear.tags, 1)) { session =>
      val runner = session.runner(linear.signature())
      assert(score(runner) == 3f)
      runner.close()
      runner.close()
      val error = intercept[EngineException](score(runner))
      assert(error.getMessage.contains("the task has ended"), error.getMessage)
    }
  }

  test("close waits for the run that another thread is in") {
    Using.resource(NativeSession.load(linear.path, linear.tags, 1)) { session =>
      val runner = session.runner(linear.signature())
      val closing = new FutureTask[Unit](() => runner.close(), ())
      val closer = new Thread(closing)
      Using.resource(row) { fed =>
        runner.run(Seq(fed)) { outputs =>
          closer.start()
          assert(settled(closer) == Thread.State.BLOCKED)
          assert(result(outputs("outputs")) == 3f)
        }
      }
      closing.get()
      intercept[EngineException](score(runner))
    }
  }

  test("denormal numbers are zero in a run, and not in Java after it") {
    val denormal = 1e-40f
    val model = ModelPackage.load(TestModels.times(denormal))
    Using.resource(NativeSession.load(model.path, model.tags, 1)) { session =>
      val runner = session.runner(model.signature())
      assert(score(runner) == 0f)
      assert(Seq(denormal).map(_ * 3f).forall(_ > 0f))
      runner.close()
    }
    assume(sys.props("os.name") == "Linux")
    assert(Denormals.canBeZero)
  }

  test("what a task opened is closed at its end, and at once when it had ended before") {
    val (sent, signature) = (key, linear.signature())
    spark.sparkContext.parallelize(Seq(1), 1).foreach { _ =>
      val lease = SessionCache.shared.lease(sent, 8)
      val runner = TaskEnd.runner(TaskContext.get(), lease)(_.runner(signature))
      SignatureRunnerSuite.left = Some((TaskContext.get(), lease, runner))
    }
    SignatureRunnerSuite.left.foreach { case (task, lease, runner) =>
      intercept[EngineException](score(runner))
      intercept[EngineException](lease.session)
      val late = SessionCache.shared.lease(sent, 8)
      intercept[EngineException](score(TaskEnd.runner(task, late)(_.runner(signature))))
      intercept[EngineException](late.session)
    }
    assert(SignatureRunnerSuite.left.isDefined)
  }
}

private object SignatureRunnerSuite {

  /** Objects that the task of a test passes to the test, in the same JVM. */
  @volatile var left: Option[(TaskContext, SessionLease, SignatureRunner)] = None
}
