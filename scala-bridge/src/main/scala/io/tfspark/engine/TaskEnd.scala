package io.tfspark.engine

import org.apache.spark.TaskContext

/** Releases the runner and the lease of a task when the task ends or fails. Executor. */
private[tfspark] object TaskEnd {

  def apply(task: TaskContext)(action: => Unit): Unit = {
    val _ = task.addTaskCompletionListener[Unit](_ => action)
  }

  /** Make a runner of a leased session. At the end of the task, the runner is closed, then the
    * lease. If the task has already ended, both are closed as soon as the runner is made.
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
