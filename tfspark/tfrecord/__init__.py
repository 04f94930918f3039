"""Reads and writes TFRecord files of Examples without TensorFlow. Driver and executor."""
