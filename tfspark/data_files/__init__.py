"""Reads data files with pyarrow: lists, footers, splits and rows. Driver and executor."""
