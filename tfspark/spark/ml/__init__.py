"""The Transformer of Spark ML: its params, its scoring, and how it is saved. Driver."""
