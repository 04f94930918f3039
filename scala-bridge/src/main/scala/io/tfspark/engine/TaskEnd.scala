package io.tfspark.engine

import org.apache.spark.TaskContext

/** Releases what a task holds when it ends, however it ends. Executor. */
private[tfspark] object TaskEnd {

  def apply(task: TaskContext)(action: => Unit): Unit = {
    val _ = task.addTaskCompletionListener[Unit](_ => action)
  }

  /** Make what runs a session that is on lease; at the task's end it is closed, and only then is
    * the lease given back. Of a task that has ended both happen at once, but not before it is made.
    */
  def runner[A <: AutoCloseable](task: TaskContext, lease: SessionLease)(
      make: NativeSession => A
  ): A = {
    val made =
      try make(lease.session)
      catch {
        case error: Throwable =>
          lease.close()
          throw error
      }
    apply(task) {
      try made.close()
      finally lease.close()
    }
    made
  }
}
