package io.tfspark.jobs.commit

import io.tfspark.error._

/** Who can change a folder. Driver.
  *
  * @param owner its owner: a number on this machine, a name on HDFS
  * @param mode its permission bits, as in POSIX
  * @param isLink whether the path is a link; the other values are those of its target
  */
final private[jobs] case class Access(owner: String, mode: Int, isLink: Boolean = false) {
  def isSticky: Boolean = (mode & Access.sticky) != 0
  def isOpen: Boolean = (mode & Access.byAll) != 0
}

/** Refuses a hidden folder into which unexpected users can put files. Driver.
  *
  * A job trusts the files in the hidden folder beside its output. Users who can replace the output
  * itself can do no more harm with such files, so they are trusted: a folder that a group shares
  * works for all of its users. In a folder with a sticky bit, such as /tmp, users cannot replace
  * each other's files. There, the hidden folder must belong to somebody who can change the output
  * anyway.
  *
  * This is checked with the rights of files, on local disks and on HDFS. Object stores have
  * policies instead, which a job cannot see.
  */
private[jobs] object Access {
  private val byAll = Integer.parseInt("002", 8)
  private val sticky = Integer.parseInt("1000", 8)
  private val root = "0"

  /** Refuse a hidden folder that exists and that unexpected users can change. */
  def refusePlanted(store: Store, places: HiddenFolder): Unit =
    store.access(places.path).flatMap(problem(store, places, _)).foreach { found =>
      throw new OutputExistsException(
        Explain(
          s"Other users can put files into ${places.path}, the folder of the commit.",
          expected = "a folder that only users who can replace the output can change",
          found = found,
          hint = "find out who made it; move it away, or run as its owner, or choose an output in " +
            "a folder that other users cannot write. If only your own jobs used it, run chmod o-w " +
            "on it."
        )
      )
    }

  /** How another user could have put files there; none when nobody could. */
  private def problem(store: Store, places: HiddenFolder, hidden: Access): Option[String] = {
    val parent = s"${HiddenFolder.parent(places.path)}/"
    val above = store.access(parent)
    val isSticky = above.exists(_.isSticky)
    def trusted = Set(root) ++ (above ++ store.access(places.output)).map(_.owner)
    def isMine = store.userIn(parent) == hidden.owner
    if (hidden.isLink) Some("a link")
    else if (isSticky && !trusted(hidden.owner) && !isMine)
      Some(s"a folder of the user ${hidden.owner}, below a folder with a sticky bit")
    else if (hidden.isOpen && (isSticky || !above.exists(_.isOpen)))
      Some(s"mode ${Integer.toOctalString(hidden.mode)}, so every user can write to it")
    else None
  }
}
