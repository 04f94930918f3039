"""A SavedModel on disk, read without TensorFlow: its folder, graph, files and archive."""
