"""What the APIs and the job ask of Spark: session, files, distribution, counts, versions."""
