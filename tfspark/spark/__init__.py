"""The Spark faces; the only folder of the package that imports pyspark."""
