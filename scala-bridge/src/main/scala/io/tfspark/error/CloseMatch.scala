package io.tfspark.error

/** The name that was meant: what Python's `difflib.get_close_matches` finds, so that both sides ask
  * the same question.
  */
private[error] object CloseMatch {
  private val leastRatio = 0.6

  /** The closest of some names, where one is close. */
  def of(name: String, known: Iterable[String]): Option[String] =
    known.map(one => (ratio(one, name), one)).filter(_._1 >= leastRatio).maxOption.map(_._2)

  /** Twice the letters in common, of all letters. */
  private def ratio(one: String, other: String): Double =
    if (one.isEmpty && other.isEmpty) 1 else 2d * common(one, other) / (one.length + other.length)

  /** Letters of the longest piece that both hold, and of those before and behind it. */
  private def common(one: String, other: String): Int = {
    val pieces = for {
      from <- one.indices
      at <- other.indices
    } yield (shared(one, from, other, at), from, at)
    // Of equal length, the first counts.
    pieces.maxByOption { case (length, from, at) => (length, -from, -at) } match {
      case Some((length, from, at)) if length > 0 =>
        length + common(one.take(from), other.take(at)) +
          common(one.drop(from + length), other.drop(at + length))
      case _ => 0
    }
  }

  private def shared(one: String, from: Int, other: String, at: Int): Int =
    one.iterator.drop(from).zip(other.iterator.drop(at)).takeWhile { case (a, b) => a == b }.size
}
