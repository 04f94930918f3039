package io.tfspark.jobs.commit

import java.util.concurrent.{CountDownLatch, TimeUnit}

/** Calls a function at intervals, until it is silenced or the function returns false. Driver.
  *
  * It uses a daemon thread.
  */
final private[commit] class Heartbeat(everyMs: Long, beat: () => Boolean) {
  private val silenced = new CountDownLatch(1)
  private val thread = new Thread(() => run(), "tfspark-heartbeat")
  thread.setDaemon(true)

  def start(): Unit = thread.start()

  /** Stop, even if it was not started. */
  def silence(): Unit = silenced.countDown()

  def isSilent: Boolean = silenced.getCount == 0

  private def run(): Unit =
    while (!silenced.await(everyMs, TimeUnit.MILLISECONDS))
      if (!beat()) silence()
}
