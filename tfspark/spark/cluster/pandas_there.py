"""Asks for pandas where Spark itself wants it. Driver.

This package needs no pandas, but Spark imports it on the driver for `mapInArrow`, and everywhere
for pandas UDFs. Its Arrow UDFs and RDDs do without.
"""

from __future__ import annotations

from importlib.util import find_spec

from tfspark.errors import EngineError, explain


def check_pandas(what: str) -> None:
    """Refuse an API of Spark that imports pandas where there is none.

    Args:
        what: The API, for the message.

    Raises:
        EngineError: With the line that installs it.
    """
    if find_spec("pandas") is None:
        raise EngineError(
            explain(
                f"Spark needs pandas for {what}, and it is not installed.",
                expected="pandas 2.2 or later; on the workers only for pandas UDFs",
                hint='pip install "tfspark[spark]", or pip install "pandas>=2.2,<3".',
            )
        )
