package io.tfspark.sql

import java.nio.file.Files

import io.tfspark.SparkSuite
import io.tfspark.jobs.{BatchScore, BatchScoreFlags}
import org.apache.spark.sql.functions.input_file_name

class ReadRowsSuite extends SparkSuite {

  private val columns =
    "id, 'it''s\\n' AS name, IF(id = 3, NULL, 0.5d) AS x, date'2024-02-29' AS day, " +
      "1.50BD AS price, X'00ff' AS raw, id > 3 AS flag, named_struct('a', 1) AS nested"

  /** Two files; the second one has the bad row. Returns the folder and the second file. */
  private def twoFiles(format: String): (String, String) = {
    val folder = s"${Files.createTempDirectory("read rows")}/in"
    Seq("array(1f, 2f)" -> "range(0, 3)", "IF(id = 4, array(1f), array(1f, 2f))" -> "range(3, 6)")
      .foreach { case (features, rows) =>
        sql(s"SELECT $columns, $features AS features FROM $rows")
          .coalesce(1).write.mode("append").format(format).save(folder)
      }
    val later = spark.read.format(format).load(folder).where("id = 4").select(input_file_name())
    (folder, later.head().getString(0))
  }

  private def refusal(query: String): String = messages(intercept[Exception](sql(query).collect()))

  private def plain(file: String): String = new java.net.URI(file).getPath

  test("the error of a row names its file and what is kept of it") {
    Seq("parquet", "orc", "json").foreach { format =>
      val (folder, file) = twoFiles(format)
      val schema = "id BIGINT, name STRING, flag BOOLEAN, features ARRAY<FLOAT>"
      spark.read.schema(schema).format(format).load(folder).coalesce(1)
        .createOrReplaceTempView("files")
      val error = refusal("SELECT tf_predict('linear', features), id, name, flag FROM files")
      val words = "(row {'id': 4, 'name': 'it's\\n', 'flag': true})"
      assert(
        error.contains(
          s"of partition 0, from ${plain(file)}: expected a row of shape (2,), found (1,) $words"
        ),
        error
      )
    }
  }

  test("a row that the model refuses is named in the same way") {
    val (folder, file) = twoFiles("parquet")
    spark.read.parquet(folder).coalesce(1).createOrReplaceTempView("files")
    val call = s"tf_predict('${model("picky")}', float(3.5) - float(id), float(1))"
    val error = refusal(s"SELECT $call, id, name FROM files WHERE id < 5")
    assert(error.contains(s"from ${plain(file)}: the model refuses the row"), error)
    assert(error.contains("(row {'id': 4, 'name': 'it's\\n'})"), error)
  }

  test("all plain columns of the job are shown, six at most") {
    val (folder, file) = twoFiles("parquet")
    val flags = Seq("--model", model("linear"), "--input", folder, "--output", s"$folder-out")
    val error =
      messages(intercept[Exception](BatchScore.score(spark, BatchScoreFlags.parse(flags))))
    val words = "{'id': 4, 'name': 'it's\\n', 'x': 0.5, 'day': 2024-02-29, 'price': 1.50, " +
      "'raw': X'00FF'})"
    assert(error.contains(s"from ${plain(file)}: expected a row"), error)
    assert(error.contains(words), error)
  }

  test("no file is named where rows were read ahead, and no row where nothing is kept") {
    val (folder, _) = twoFiles("parquet")
    spark.read.parquet(folder).createOrReplaceTempView("files")
    val sorted = refusal(
      "SELECT tf_predict('linear', features), id FROM (SELECT * FROM files ORDER BY id)"
    )
    assert(sorted.contains(": expected a row of shape (2,), found (1,) (row {'id': 4})"), sorted)
    assert(!sorted.contains(", from "), sorted)
    val alone = refusal("SELECT tf_predict('linear', features) FROM files")
    assert(alone.contains("found (1,)\nHint"), alone)
  }
}
