"""A property that Spark masks is not written back as its mask."""

from tfspark.spark.cluster.tables import Table, create_like, properties_of


def test_a_masked_property_is_not_copied_to_another_table(spark, tmp_path):
    properties = "'my.token' = 'abc', 'team' = 'x'"
    spark.sql(f"CREATE TABLE with_secret (x INT) USING parquet TBLPROPERTIES ({properties})")
    try:
        there = Table.of(spark, "with_secret")
        assert "redacted" in there.properties["my.token"]
        create_like(spark, "copied", there, (tmp_path / "copied").as_uri())
        assert properties_of(spark, "copied") == {"team": "x"}
    finally:
        spark.sql("DROP TABLE IF EXISTS copied")
        spark.sql("DROP TABLE with_secret")
