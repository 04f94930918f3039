package io.tfspark.jobs.commit

import java.util.function.Consumer

/** A store that reports each operation just before it changes files. Driver.
  *
  * @param watch gets the operation and its paths, such as `rename /a /b`; if it throws, the
  *   operation is not done
  */
final private[jobs] class WatchedStore(store: Store, watch: Consumer[String]) extends Store {
  override def isAtomic: Boolean = store.isAtomic
  override def userIn(folder: String): String = store.userIn(folder)
  override def access(path: String): Option[Access] = store.access(path)
  override def names(folder: String): Seq[String] = store.names(folder)
  override def exists(path: String): Boolean = store.exists(path)
  override def read(path: String): Option[String] = store.read(path)
  override def modified(path: String): Option[Long] = store.modified(path)
  override def identity(folder: String): String = store.identity(folder)
  override def reasonToStay(folder: String, full: String): Option[String] =
    store.reasonToStay(folder, full)
  override def reasonToRefuse(folder: String, work: String): Option[String] =
    store.reasonToRefuse(folder, work)

  override def create(path: String, text: String): Unit =
    watched("create", path)(store.create(path, text))
  override def touch(path: String): Unit = watched("touch", path)(store.touch(path))
  override def make(folder: String): Unit = watched("make", folder)(store.make(folder))
  override def makeHidden(folder: String): Unit =
    watched("make", folder)(store.makeHidden(folder))
  override def rename(source: String, target: String): Unit =
    watched("rename", source, target)(store.rename(source, target))
  override def delete(path: String): Unit = watched("delete", path)(store.delete(path))
  override def deleteLast(paths: String*): Unit =
    watched("delete last", paths: _*)(store.deleteLast(paths: _*))
  override def removeEmpty(folder: String): Unit =
    watched("remove empty", folder)(store.removeEmpty(folder))

  private def watched(operation: String, paths: String*)(change: => Unit): Unit = {
    watch.accept((operation +: paths).mkString(" "))
    change
  }
}
