"""Reads an export dir without TensorFlow: folder, graph, files, archive. Driver and executor."""
