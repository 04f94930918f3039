"""Benchmarks: tfspark against the floor and against its peers; see README.md."""
