package io.tfspark.sql

import java.nio.file.Files

/** The file of each row, beside calls that read rows ahead. */
class FileOfRowSuite extends PointsSuite {
  private val score = "tf_predict('linear', x0, x1)"

  /** Read two files, in one partition as `files`, in two as `apart`; returns the file of each row.
    */
  private def twoFiles(format: String): Map[Long, String] = {
    val folder = Files.createTempDirectory("files").resolve("in").toString
    Seq("range(0, 3)", "range(3, 6)").foreach { rows =>
      sql(s"SELECT id, float(id * id) AS x0, 1f AS x1 FROM $rows")
        .coalesce(1).write.mode("append").format(format).save(folder)
    }
    val read = spark.read.schema("id BIGINT, x0 FLOAT, x1 FLOAT").format(format).load(folder)
    read.coalesce(1).createOrReplaceTempView("files")
    read.createOrReplaceTempView("apart")
    namesIn("SELECT id, input_file_name() FROM files")
  }

  private def namesIn(query: String): Map[Long, String] =
    sql(query).collect().map(row => row.getLong(0) -> row.getString(1)).toMap

  Seq("json", "parquet").foreach { format =>
    test(s"the file of each row stands beside its call, above it and in conditions: $format") {
      val files = twoFiles(format)
      assert(files.values.toSet.size == 2)
      val high = files.filter { case (id, _) => id > 1 }
      val scored = s"(SELECT *, $score AS y FROM files)"
      assert(namesIn(s"SELECT id, input_file_name(), $score FROM files") == files)
      assert(namesIn(s"SELECT id, input_file_name() FROM files WHERE $score > 4") == high)
      assert(namesIn(s"SELECT id, input_file_name(), y FROM $scored WHERE y > 4") == high)
      assert(namesIn(s"SELECT id, input_file_name(), y FROM $scored WHERE id > 1") == high)
      val both =
        s"SELECT id FROM files WHERE $score > 4 UNION ALL SELECT id FROM files WHERE id < 2"
      assert(namesIn(s"SELECT id, input_file_name() FROM ($both)") == files)
      val exploded = s"SELECT id, explode(array(y, y)) FROM (SELECT id, $score AS y FROM files)"
      assert(namesIn(s"SELECT id, input_file_name() FROM ($exploded)") == files)
    }
  }

  test("a condition on the file drops rows before they are scored") {
    val files = twoFiles("json")
    val name = files(4).split('/').last
    val query = sql(s"SELECT id FROM apart WHERE $score > 20 AND input_file_name() LIKE '%$name'")
    assert(query.collect().map(_.getLong(0)).toSeq == Seq(4L, 5L))
    assert(rowsScored(query) == 3)
  }

  test("the sizes of files are those of the rows, too") {
    twoFiles("json"): Unit
    def lengths(more: String): Seq[(Any, Any)] =
      sql(s"SELECT id, input_file_block_length()$more FROM files")
        .collect().toSeq.map(row => (row.get(0), row.get(1)))
    assert(lengths("").map(_._2).distinct.size == 2)
    assert(lengths(s", $score") == lengths(""))
    val query = s"SELECT id FROM (SELECT id, input_file_block_start() AS s, $score AS y FROM files)"
    assert(values(s"$query WHERE s = 0 AND y > 20") == Seq(4L, 5L))
  }
}
