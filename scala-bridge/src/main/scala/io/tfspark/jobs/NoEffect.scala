package io.tfspark.jobs

import io.tfspark.error._

/** Flags that have no effect in a combination with other flags: a flag that is given must change
  * the job. The rules are those of `jobs/README.md`. Driver.
  */
private[jobs] object NoEffect {

  /** @param where the combination, in words */
  final private case class Rule(
      flags: Seq[String],
      where: Arguments => String,
      hint: String,
      holds: Arguments => Boolean
  )

  private val rules = Seq(
    Rule(
      Seq("input-format", "option", "allow-missing"),
      _ => "with --input-table",
      "leave it out, or read files with --input.",
      _.has("input-table")
    ),
    Rule(
      Seq("allow-missing"),
      found => s"with --input-format ${found.getOrElse("input-format", "")}",
      "leave it out; only Parquet and ORC files may lack a column.",
      found => !Set("parquet", "orc")(found.getOrElse("input-format", "parquet"))
    ),
    Rule(
      Seq("max-bad-rows"),
      _ => "without --bad-rows",
      "add --bad-rows PATH.",
      !_.has("bad-rows")
    )
  )

  /** Refuse a flag that was given and has no effect. */
  def refuse(found: Arguments): Unit =
    for {
      rule <- rules if rule.holds(found)
      flag <- rule.flags if found.has(flag)
    } throw new UsageException(
      Explain(s"--$flag has no effect ${rule.where(found)}.", hint = rule.hint)
    )
}
