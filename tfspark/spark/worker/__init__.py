"""The code that runs inside a Python worker: the scoring task and the daemon. Executor."""
