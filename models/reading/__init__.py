"""Reads the files of `--data`: one module per kind of file, one error for all.

Missing, empty or wrong files raise an error before any training starts.
"""
