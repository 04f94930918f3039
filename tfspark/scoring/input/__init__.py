"""The input of a job: files listed, checked, split and read."""
