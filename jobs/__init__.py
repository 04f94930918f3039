"""Programs for spark-submit: `parse_args(argv)`, `run(spark, args)`, `main(argv=None)`."""
