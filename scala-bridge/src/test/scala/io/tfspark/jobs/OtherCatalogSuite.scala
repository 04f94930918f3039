package io.tfspark.jobs

import io.tfspark.error._
import org.apache.spark.sql.connector.catalog.Identifier
import org.apache.spark.sql.execution.datasources.v2.jdbc.JDBCTableCatalog

/** A catalog that cannot rename tables, as Iceberg's in a Hadoop folder. */
class CatalogWithoutRename extends JDBCTableCatalog {
  override def renameTable(from: Identifier, to: Identifier): Unit =
    throw new UnsupportedOperationException("this catalog cannot rename tables")
}

/** Tables of other catalogs than the session's. */
class OtherCatalogSuite extends JobSuite {
  private val name = "spark.sql.catalog.fixed"

  private def scored(mode: String, words: String*): String = {
    val report = s"${folder()}/report.json"
    val target = Seq("--output-table", "fixed.scores", "--keep", "id", "--report", report)
    linearOf(input)(target ++ Seq("--mode", mode) ++ words: _*)
  }

  private def linearTable(input: String)(words: String*): String =
    refusal[UsageException](Seq("--model", model("linear"), "--input-table", input) ++ words: _*)._1

  private def ids: Seq[Any] = values("SELECT ID FROM fixed.scores").sortBy(_.toString)

  test("a table is created, appended to and overwritten without a rename") {
    val settings = Seq(
      name -> classOf[CatalogWithoutRename].getName,
      s"$name.url" -> "jdbc:derby:memory:fixed;create=true",
      s"$name.driver" -> "org.apache.derby.iapi.jdbc.AutoloadedDriver"
    )
    having(settings: _*) {
      scored("error"): Unit
      assert(ids == (0L until 5L))
      val error = intercept[OutputExistsException](scored("error"))
      assert(error.exitCode == 73)
      scored("append"): Unit
      assert(ids.size == 10)
      scored("overwrite"): Unit
      assert(ids == (0L until 5L))
      intercept[BindingException](scored("overwrite", "--fetch", "outputs=other")): Unit
      val own = linearTable("fixed.scores")("--output-table", "fixed.scores", "--mode", "append")
      assert(own.contains("The table fixed.scores is the input and the output of the job."))
      val marked = intercept[UsageException](scored("append", "--run-id", "monday"))
      assert(marked.getMessage.contains("The table fixed.scores cannot mark a run as done."))
      val parted = intercept[UsageException](scored("append", "--partition-by", "id"))
      assert(parted.getMessage.contains("keeps its partitions"))
      assert(ids == (0L until 5L))
    }
  }
}
