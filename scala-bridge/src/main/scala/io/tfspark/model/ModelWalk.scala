package io.tfspark.model

import java.nio.charset.StandardCharsets.UTF_8

import io.tfspark.error._

/** Counts the entries in the folder of a model, and refuses entries that a model cannot have.
  * Driver and executor.
  *
  * The limits are those of Python's `tfspark.saved_model.files`. They apply to local folders, to
  * folders on Hadoop's file systems and to packed models.
  *
  * @param folder the name of the folder in messages
  */
final private[tfspark] class ModelWalk(folder: String) {
  private var met = 0

  /** Count a file or folder by its relative name. */
  def meet(name: String): Unit = {
    met += 1
    if (met > ModelWalk.MostEntries)
      throw refusal(
        "",
        s"more than ${ModelWalk.MostEntries} entries, including those behind links",
        s"give the export dir of a single model; ${ModelWalk.NoLink}"
      )
    if (ModelWalk.isOutside(name)) throw refusal(name, "not a name in the folder", "remove it.")
    if (ModelWalk.isTooLong(name))
      throw refusal(name, "too long a name, or too many levels of folders", ModelWalk.NoLink)
  }

  /** The error for a file or folder of the model, or, without a name, for the folder itself. */
  def refusal(
      name: String,
      found: String,
      hint: String,
      cause: Option[Throwable] = None
  ): InvalidModelException =
    new InvalidModelException(
      Explain(
        s"The folder $folder contains something that a model cannot contain.",
        expected = s"regular files and folders, at most ${ModelWalk.MostEntries} of them",
        found = if (name.isEmpty) found else s"'$name': $found",
        hint = hint
      ),
      cause
    )
}

private[tfspark] object ModelWalk {

  /** Files and folders of one model; an entry behind several links counts once for each link. */
  val MostEntries: Int = 10000

  /** The hint for problems with links. */
  val NoLink: String =
    "remove links that lead to the folder itself or out of it; a SavedModel needs none."

  private val mostLevels = 32
  // The limits of Linux; other file systems may have longer names.
  private val longestName = 255
  private val longestPath = 4096

  private def isTooLong(name: String): Boolean = {
    val lengths = name.split('/').toSeq.map(_.getBytes(UTF_8).length)
    lengths.size > mostLevels || lengths.max > longestName ||
    lengths.sum + lengths.size > longestPath
  }

  private def isOutside(name: String): Boolean =
    name.contains('\u0000') || name.split("/", -1).exists(Set("", ".", ".."))
}
