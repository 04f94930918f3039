package io.tfspark.jobs

import io.tfspark.error._

/** How many rows of a job may be bad: a number of rows, or a share of them in percent. Driver. */
final case class BadRowLimit(most: BigDecimal, isShare: Boolean) {

  override def toString: String = if (isShare) s"$most%" else s"$most"

  /** Refuse more bad rows than this. */
  def check(bad: Long, rows: Long): Unit =
    if (BigDecimal(bad) > (if (isShare) most * rows / 100 else most))
      throw new RowException(
        Explain(
          "Too many rows are bad; nothing is published.",
          expected = s"at most $this",
          found = s"$bad of $rows rows",
          hint =
            "allow more with --max-bad-rows, or find the reason without --bad-rows: the error " +
              "then names the first bad row."
        )
      )
}

object BadRowLimit {

  /** All rows may be bad. */
  val None: BadRowLimit = BadRowLimit(100, isShare = true)

  private val number = "([0-9]{1,18})".r
  private val share = """([0-9]{1,3}(?:\.[0-9]{1,9})?)%""".r

  /** The limit that a text names, if any: `N` or `N%`. */
  def of(text: String): Option[BadRowLimit] = text match {
    case number(rows) => Some(BadRowLimit(BigDecimal(rows), isShare = false))
    case share(percent) if BigDecimal(percent) <= 100 =>
      Some(BadRowLimit(BigDecimal(percent), isShare = true))
    case _ => Option.empty
  }
}
