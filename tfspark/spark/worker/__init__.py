"""What runs inside a Python worker: the task that scores, and the daemon that starts workers."""
