"""Times the installed engines on some rows, and remembers which one is fastest. Executor."""

from tfspark.engine_trial.record import remember, remembered
from tfspark.engine_trial.timing import choose_engine, joined

__all__ = ["choose_engine", "joined", "remember", "remembered"]
