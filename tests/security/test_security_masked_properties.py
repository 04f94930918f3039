"""A property that Spark masks is not written back as its mask."""

import pytest

from tfspark.errors import UsageError
from tfspark.spark.cluster.tables import Table, create_like


def test_a_masked_property_is_not_copied_to_another_table(spark):
    spark.sql("CREATE TABLE with_secret (x INT) USING parquet TBLPROPERTIES ('my.token' = 'abc')")
    try:
        with pytest.raises(UsageError, match=r"'my\.token'"):
            create_like(spark, "copied", Table.of(spark, "with_secret"))
        assert not spark.catalog.tableExists("copied")
    finally:
        spark.sql("DROP TABLE with_secret")
