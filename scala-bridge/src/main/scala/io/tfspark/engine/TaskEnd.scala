package io.tfspark.engine

import org.apache.spark.TaskContext

/** Releases what a task holds when it ends, however it ends. Executor. */
private[tfspark] object TaskEnd {

  def apply(task: TaskContext)(action: => Unit): Unit = {
    val _ = task.addTaskCompletionListener[Unit](_ => action)
  }
}
