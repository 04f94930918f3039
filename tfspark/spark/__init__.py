"""The Spark APIs; the only folder of the package that imports pyspark."""
