"""Checks that pandas is installed when Spark needs it. Driver.

tfspark does not need pandas. Spark imports it on the driver for `mapInArrow`, and on the workers
too for pandas UDFs. Arrow UDFs and RDDs do not need it.
"""

from __future__ import annotations

from importlib.util import find_spec

from tfspark.errors import EngineError, explain


def check_pandas(what: str) -> None:
    """Refuse an API of Spark that imports pandas if pandas is missing.

    Args:
        what: The API, for the message.

    Raises:
        EngineError: With the command that installs it.
    """
    if find_spec("pandas") is None:
        raise EngineError(
            explain(
                f"Spark needs pandas for {what}, and it is not installed.",
                expected="pandas 2.2 or later; on the workers only for pandas UDFs",
                hint='run: pip install "pandas>=2.2,<3"',
            )
        )
