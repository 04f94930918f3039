"""What runs inside a Python worker: one task entry, a scorer for each API, the daemon."""
