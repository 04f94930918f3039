package io.tfspark.jobs

import io.tfspark.error._
import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.catalyst.parser.{CatalystSqlParser, ParseException}

/** The name of a table in its parts. Driver. */
private[jobs] object TableName {

  /** The parts of a name. */
  def parts(name: String): Seq[String] = {
    val found =
      try CatalystSqlParser.parseMultipartIdentifier(name)
      catch {
        case error: ParseException =>
          throw new UsageException(
            Explain(
              s"'$name' is no table name.",
              expected = "a name such as db.scores or `my db`.scores"
            ),
            Some(error)
          )
      }
    // Spark renames its own catalog's tables only without that catalog's name.
    if (found.size > 2 && found.head == Session) found.drop(1) else found
  }

  /** Whether a table is in the catalog of the session itself. */
  def isInSession(spark: SparkSession, parts: Seq[String]): Boolean = {
    val named =
      Option.when(parts.size > 1)(parts.head).filter(first =>
        spark.conf.getOption(s"spark.sql.catalog.$first").isDefined
      )
    named.getOrElse(spark.catalog.currentCatalog()) == Session
  }

  def quoted(parts: Seq[String]): String =
    parts.map(part => s"`${part.replace("`", "``")}`").mkString(".")

  private val Session = "spark_catalog"
}
