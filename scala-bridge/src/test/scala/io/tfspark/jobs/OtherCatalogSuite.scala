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
      assert(ids == (0L until 5L))
    }
  }
}
