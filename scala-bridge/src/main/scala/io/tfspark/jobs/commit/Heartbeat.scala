package io.tfspark.jobs.commit

import java.util.concurrent.{CountDownLatch, TimeUnit}

/** Calls a function again and again, until it is silenced or the function says that it is over.
  * Driver; its thread keeps no process alive.
  */
final private[commit] class Heartbeat(everyMs: Long, beat: () => Boolean) {
  private val silenced = new CountDownLatch(1)
  private val thread = new Thread(() => run(), "tfspark-heartbeat")
  thread.setDaemon(true)

  def start(): Unit = thread.start()

  /** Stop; fine when it has never begun. */
  def silence(): Unit = silenced.countDown()

  def isSilent: Boolean = silenced.getCount == 0

  private def run(): Unit =
    while (!silenced.await(everyMs, TimeUnit.MILLISECONDS))
      if (!beat()) silence()
}
