package io.tfspark.jobs

import io.tfspark.error.BindingException
import org.apache.spark.sql.types.StructType
import org.scalatest.funsuite.AnyFunSuite

/** A table takes values of another type only if none of them changes, as in Python. */
class ColumnTypesSuite extends AnyFunSuite {

  private val table = Dataset(None, Some("t"), "parquet", Map.empty)

  private def check(column: String, values: String): Unit =
    Output.checkSame(
      table,
      StructType.fromDDL(s"y $column"),
      StructType.fromDDL(s"Y $values"),
      ordered = false
    )

  for (
    (column, values) <- Seq(
      "BIGINT" -> "TINYINT",
      "ARRAY<DOUBLE>" -> "ARRAY<FLOAT>",
      "DECIMAL(12, 2)" -> "DECIMAL(10, 1)",
      "DECIMAL(12, 2)" -> "INT",
      "BIGINT" -> "DECIMAL(18, 0)",
      "FLOAT" -> "SMALLINT",
      "TIMESTAMP" -> "DATE",
      "TIMESTAMP" -> "TIMESTAMP_NTZ",
      "INTERVAL DAY TO SECOND" -> "INTERVAL DAY",
      "INTERVAL MONTH" -> "INTERVAL YEAR",
      "STRUCT<a: BIGINT, b: INT>" -> "STRUCT<A: INT, b: INT>"
    )
  ) test(s"$column takes $values")(check(column, values))

  for (
    (column, values) <- Seq(
      "FLOAT" -> "DOUBLE",
      "DECIMAL(10, 2)" -> "FLOAT",
      "DECIMAL(10, 2)" -> "DECIMAL(10, 3)",
      "BIGINT" -> "DECIMAL(19, 0)",
      "DATE" -> "TIMESTAMP",
      "INTERVAL DAY TO MINUTE" -> "INTERVAL SECOND",
      "INTERVAL YEAR" -> "INTERVAL YEAR TO MONTH",
      "STRING" -> "INT",
      "STRUCT<a: INT, b: INT>" -> "STRUCT<b: INT, a: INT>",
      "MAP<STRING, INT>" -> "MAP<STRING, BIGINT>"
    )
  ) test(s"$column refuses $values") {
    assert(intercept[BindingException](check(column, values)).getMessage.contains("use CAST"))
  }
}
