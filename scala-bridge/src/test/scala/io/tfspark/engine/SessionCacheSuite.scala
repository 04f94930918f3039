package io.tfspark.engine

import java.nio.charset.StandardCharsets.ISO_8859_1
import java.nio.file.{Files, Paths}
import java.util.concurrent.{Callable, CountDownLatch, CyclicBarrier, Executors, FutureTask}

import scala.jdk.CollectionConverters._
import scala.util.Using

import io.tfspark.TestModels
import io.tfspark.error.EngineException
import io.tfspark.model.ModelPackage
import org.scalatest.funsuite.AnyFunSuite

class SessionCacheSuite extends AnyFunSuite {

  private def key(name: String): SessionKey = {
    val model = ModelPackage.load(Paths.get(TestModels.path(name)))
    SessionKey(model.digest, model.tags, ModelSource.Shared(model.path), model.size, 1)
  }

  private def cache(): SessionCache =
    new SessionCache(key =>
      NativeSession.load(key.source.locate(key.digest, key.size).toString, key.tags, key.threads)
    )

  test("eight threads that ask at once get one session, loaded once") {
    val sessions = cache()
    val wanted = key("linear")
    val (threads, barrier) = (Executors.newFixedThreadPool(8), new CyclicBarrier(8))
    try {
      val ask: Callable[SessionLease] = () => {
        barrier.await()
        sessions.lease(wanted, 8)
      }
      val leases = threads.invokeAll(Seq.fill(8)(ask).asJava).asScala.map(_.get)
      assert(leases.map(_.session).distinct.size == 1)
      assert(sessions.loads == 1)
      leases.foreach(_.close())
    } finally threads.shutdown()
  }

  test("of sessions without a user the least recently used leaves first, and one in use stays") {
    val sessions = cache()
    Using.resource(sessions.lease(key("linear"), 1)) { _ =>
      sessions.lease(key("pair"), 1).close()
      sessions.lease(key("words"), 1).close()
      assert(sessions.size == 1)
      sessions.lease(key("linear"), 1).close()
      assert(sessions.loads == 3)
    }
  }

  test("a lease that is closed twice gives back one use, and its session is refused afterwards") {
    val sessions = cache()
    val (mine, other) = (sessions.lease(key("linear"), 0), sessions.lease(key("linear"), 0))
    mine.close()
    mine.close()
    assert(sessions.size == 1, "the other user still has it")
    assert(intercept[EngineException](mine.session).getMessage.contains("was given back"))
    other.session.runner(
      ModelPackage.load(Paths.get(TestModels.path("linear"))).signature()
    ).close()
    other.close()
    assert(sessions.size == 0)
  }

  test("an operation that TensorFlow does not know is an error, and the next load is tried again") {
    val base = TestModels.copy("linear")
    val file = base.resolve("1/saved_model.pb")
    val unknown = new String(Files.readAllBytes(file), ISO_8859_1).replace("MatMul", "MatMux")
    Files.write(file, unknown.getBytes(ISO_8859_1))
    val model = ModelPackage.load(base)
    val sessions = cache()
    (1 to 2).foreach { _ =>
      val broken =
        SessionKey(model.digest, model.tags, ModelSource.Shared(model.path), model.size, 1)
      val error = intercept[EngineException](sessions.lease(broken, 8))
      assert(
        error.getMessage.contains("cannot load the model") && error.getMessage.contains("MatMux")
      )
    }
    assert(sessions.size == 0)
  }

  test("a thread that waits for a load that fails loads from its own source") {
    val good = key("linear")
    val bad = good.copy(source = ModelSource.Shared("/no/such"))
    val started = new CountDownLatch(1)
    lazy val sessions: SessionCache = new SessionCache(key => {
      if (key.source == bad.source) {
        started.countDown()
        waitFor(second)
        throw new EngineException("the source cannot be read")
      }
      NativeSession.load(key.source.locate(key.digest, key.size).toString, key.tags, key.threads)
    })
    lazy val asking = new FutureTask[SessionLease](() => {
      started.await()
      sessions.lease(good, 8)
    })
    lazy val second = new Thread(asking)
    second.start()
    intercept[EngineException](sessions.lease(bad, 8))
    asking.get.close()
    assert(sessions.loads == 1)
  }

  /** Wait until another thread waits for the load of this one. */
  private def waitFor(other: Thread): Unit =
    Iterator.continually(other.getState)
      .takeWhile(state => state != Thread.State.BLOCKED && Thread.currentThread != other)
      .foreach(_ => Thread.onSpinWait())
}
