package io.tfspark.jobs

import java.util.Locale

import io.tfspark.error._
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.catalyst.parser.{CatalystSqlParser, ParseException}

/** The parts of a table's name. Driver.
  *
  * @param catalog none for Spark's own catalog, Hive's metastore included
  * @param schema the schema, or nested schemas; empty for the current one
  */
final private[jobs] case class TableName(
    catalog: Option[String],
    schema: Seq[String],
    name: String
) {

  /** The whole name, quoted for SQL. */
  def quoted: String = TableName.quoted(catalog.toSeq ++ schema :+ name)

  /** The same table by a name that does not depend on the current schema. */
  def inSchema(spark: SparkSession): TableName =
    if (schema.nonEmpty) this else copy(schema = Seq(spark.catalog.currentDatabase))

  /** Another table of the same schema. */
  def sibling(name: String): TableName = copy(name = name)

  /** Refuse to create the table in a schema that does not exist. */
  def checkSchema(spark: SparkSession): Unit = {
    val there = TableName.quoted(catalog.toSeq ++ schema)
    if (schema.nonEmpty && !spark.catalog.databaseExists(there))
      throw new UsageException(
        Explain(
          s"There is no schema $there for the table $name.",
          hint = s"create it first: CREATE SCHEMA $there."
        )
      )
  }

  /** The folder that Spark's own catalog gives the new table. */
  def defaultFolder(spark: SparkSession): Path = {
    val home = spark.catalog.getDatabase(TableName.quoted(inSchema(spark).schema)).locationUri
    new Path(home, name.toLowerCase(Locale.ROOT))
  }
}

private[jobs] object TableName {
  private val own = "spark_catalog"

  /** What Spark's own catalog, and Hive below it, allow. */
  private val plain = "[A-Za-z0-9_]{1,255}"

  /** Parse a name such as db.scores or `my db`.scores. */
  def of(spark: SparkSession, text: String): TableName = {
    val (catalog, parts) = parsed(text) match {
      case first +: rest if rest.nonEmpty && isCatalog(spark, first) => (first, rest)
      case all => (spark.catalog.currentCatalog(), all)
    }
    if (catalog != own) TableName(Some(catalog), parts.init, parts.last)
    else {
      check(text, parts)
      TableName(None, parts.init, parts.last)
    }
  }

  private def isCatalog(spark: SparkSession, name: String): Boolean =
    name == own || spark.conf.getOption(s"spark.sql.catalog.$name").isDefined

  /** Refuse what cannot be a table of Spark's own catalog. */
  private def check(text: String, parts: Seq[String]): Unit = {
    if (parts.size > 2)
      throw new UsageException(
        Explain(
          s"There is no catalog '${parts.head}' for the table $text.",
          expected = "a name such as db.scores, or a catalog of this session",
          hint = s"configure it with --conf spark.sql.catalog.${parts.head}=…."
        )
      )
    parts.find(!_.matches(plain)).foreach { odd =>
      throw new UsageException(
        Explain(
          s"'$text' cannot be the name of a table in Spark's own catalog.",
          expected = "letters from A to Z, digits and _, at most 255 of them",
          found = if (odd.length < 99) odd else s"${odd.length} characters"
        )
      )
    }
  }

  private def parsed(text: String): Seq[String] =
    try CatalystSqlParser.parseMultipartIdentifier(text)
    catch {
      case error: ParseException =>
        throw new UsageException(
          Explain(
            s"'$text' is not a table name.",
            expected = "a name such as db.scores or `my db`.scores"
          ),
          Some(error)
        )
    }

  /** The mark in the name of a staged table, before the run. */
  val Staged = "__tfspark_"

  /** Whether a text is the quoted name of a table with its schema, and nothing else of SQL. */
  def isQuoted(text: String): Boolean = partsOf(text).nonEmpty

  /** Whether a text is the quoted name of a staged table. */
  def isStaged(text: String): Boolean = partsOf(text).lastOption.exists(_.contains(Staged))

  private def partsOf(text: String): Seq[String] =
    try Some(parsed(text)).filter(parts => parts.size == 2 && quoted(parts) == text).toSeq.flatten
    catch { case _: UsageException => Nil }

  def quoted(parts: Seq[String]): String =
    parts.map(part => s"`${part.replace("`", "``")}`").mkString(".")
}
