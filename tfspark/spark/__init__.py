"""The APIs for Spark; the only folder that imports pyspark. Driver and executor."""
