package io.tfspark.jobs

import io.tfspark.error._

/** The definition of a table that exists, which a job does not change. Flags that name another one
  * would have no effect. Driver.
  *
  * @param format such as `orc`
  * @param partitions the partition columns, and transforms such as `bucket(4, id)` of Iceberg
  * @param takesOptions whether a write to the table takes options
  */
final private[jobs] case class TableDefinition(
    format: String,
    partitions: Seq[String],
    takesOptions: Boolean
) {

  /** Refuse a target with another format, other partitions, or options of the format. */
  def refuseOther(target: Dataset): Unit = {
    val (wanted, there) = (target.partitionBy, partitions.map(_.replaceAll("^`|`$", "")))
    val options = target.options.keys.toSeq.sorted
    val formats = TableDefinition.ofFiles.getOrElse(format, Set.empty[String]) + format
    if (target.format != TableDefinition.default && !formats(target.format))
      throw keeps(target, "format", format, s"--output-format ${target.format}")
    if (wanted.nonEmpty && wanted.map(_.toLowerCase) != there.map(_.toLowerCase))
      throw keeps(
        target,
        "partitions",
        if (there.isEmpty) "no partitions" else s"partitions by ${Explain.listing(there)}",
        s"--partition-by ${wanted.mkString(",")}"
      )
    if (options.nonEmpty && !takesOptions)
      throw keeps(
        target,
        "options",
        "those of the table",
        s"--output-option ${Explain.listing(options)}"
      )
  }

  private def keeps(target: Dataset, what: String, there: String, found: String): UsageException =
    new UsageException(
      Explain(
        s"The $target keeps its $what.",
        expected = there,
        found = found,
        hint = s"leave out ${found.takeWhile(_ != ' ')}, or drop the table first."
      )
    )
}

private[jobs] object TableDefinition {

  /** With this default of the flag, a table has the format of its catalog. */
  private val default = "parquet"

  /** The formats of the files in a table, which some catalogs take in place of their own format. */
  private val ofFiles = Map("iceberg" -> Set("avro", "orc"))
}
