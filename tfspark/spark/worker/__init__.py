"""The code in a Python worker: one entry for all tasks, scorers, the daemon. Executor."""
