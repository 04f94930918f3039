"""Queries to Spark: session, files, distribution, counts, versions. Driver."""
