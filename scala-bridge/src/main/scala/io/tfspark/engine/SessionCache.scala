package io.tfspark.engine

import java.util.concurrent.atomic.AtomicBoolean

import scala.collection.mutable

import io.tfspark.error._

/** One live session per model and JVM, shared by all task threads. Executor.
  *
  * A key is loaded once, even if several threads ask at the same time. Users are counted. At most
  * `limit` sessions without a user are kept; the least recently used one is evicted and closed.
  * Nothing in the cache is ever serialised.
  */
final class SessionCache(load: SessionKey => NativeSession) {
  private val entries = mutable.LinkedHashMap.empty[SessionKey, SessionCache.Entry]
  private var loaded = 0

  /** How many sessions were loaded so far. */
  def loads: Int = synchronized(loaded)

  /** How many sessions are open. */
  def size: Int = synchronized(entries.size)

  /** Lease the session of a key; the first use loads it. Closing the lease returns it.
    *
    * @param limit sessions to keep
    */
  def lease(key: SessionKey, limit: Int): SessionLease = {
    val entry = synchronized {
      val found = entries.remove(key).getOrElse(new SessionCache.Entry)
      entries += key -> found // the last is the most recently used
      found.users += 1
      found
    }
    try {
      val session = entry.session(open(key)) // outside the lock, so other models can load
      synchronized(evict(limit)).foreach(_.close())
      new SessionLease(session, () => release(entry, limit))
    } catch {
      case error: Throwable =>
        synchronized {
          entry.users -= 1
          if (entry.users == 0 && entries.get(key).contains(entry)) entries -= key
        }
        throw error
    }
  }

  private def open(key: SessionKey): NativeSession = {
    val session = load(key)
    synchronized(loaded += 1)
    session
  }

  private def release(entry: SessionCache.Entry, limit: Int): Unit =
    synchronized {
      entry.users -= 1
      evict(limit)
    }.foreach(_.close())

  /** Remove sessions above the limit that have no user; the caller closes them outside the lock. */
  private def evict(limit: Int): Seq[NativeSession] = {
    val leaving = entries.filter(_._2.users == 0).take(math.max(0, entries.size - limit)).toSeq
    leaving.flatMap { case (key, entry) =>
      entries -= key
      entry.opened
    }
  }
}

/** The key of a session. */
final case class SessionKey(
    digest: String,
    tags: Seq[String],
    source: ModelSource,
    size: Long,
    threads: Int
) {

  // The location of the files is not part of the identity of a model.
  override def equals(other: Any): Boolean = other match {
    case key: SessionKey => key.digest == digest && key.tags == tags && key.threads == threads
    case _ => false
  }

  override def hashCode: Int = (digest, tags, threads).hashCode
}

object SessionCache {

  /** The sessions of this JVM. */
  lazy val shared: SessionCache = new SessionCache(key =>
    NativeSession.load(
      key.source.locate(key.digest, key.size).toString,
      key.tags,
      key.threads,
      key.size
    )
  )

  final private class Entry {
    var users: Int = 0
    private var made: Option[NativeSession] = None

    /** The session, if it is loaded. */
    def opened: Option[NativeSession] = synchronized(made)

    /** The session; the first user loads it. If this fails, the next one tries with its own source.
      */
    def session(load: => NativeSession): NativeSession = synchronized {
      val found = made.getOrElse(load)
      made = Some(found)
      found
    }
  }
}

/** A session in use. The first close returns it to the cache; then `session` raises an error. */
final class SessionLease(held: NativeSession, release: () => Unit) extends AutoCloseable {
  private val isClosed = new AtomicBoolean

  /** The session, until the lease is closed. */
  def session: NativeSession =
    if (isClosed.get)
      throw new EngineException(
        Explain(
          "The session of a model cannot be used.",
          expected = "a model that is open",
          found = "one that was closed: its session was given back"
        )
      )
    else held

  override def close(): Unit = if (!isClosed.getAndSet(true)) release()
}
