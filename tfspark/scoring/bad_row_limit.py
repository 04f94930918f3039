"""How many rows of a job may be bad: a number or a share. Driver.

The command line reads it before Spark is imported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tfspark.errors import RowError, UsageError, explain


@dataclass(frozen=True)
class Limit:
    """How many rows of a job may be bad.

    Attributes:
        most: A number of rows, or a share of them in percent.
        is_share: Whether `most` is in percent.
    """

    most: float = 100.0
    is_share: bool = True

    def __str__(self) -> str:
        return f"{self.most:g}%" if self.is_share else str(int(self.most))

    @classmethod
    def of(cls, text: str) -> Limit:
        """Read `N` or `N%`.

        Raises:
            UsageError: When it is neither.
        """
        found = re.fullmatch(r"(\d+(?:\.\d+)?)%|(\d+)", text)
        if not found or (found[1] and float(found[1]) > 100):
            raise UsageError(
                explain(
                    "The limit of bad rows must be a number or a share of rows.",
                    expected="N, or N% from 0% to 100%",
                    found=text,
                    hint="give --max-bad-rows a value such as 100 or 1%.",
                )
            )
        return cls(float(found[1] or found[2]), is_share=bool(found[1]))

    def check(self, bad: int, rows: int) -> None:
        """Refuse more bad rows than this.

        Raises:
            RowError: When there are more; the message has both numbers.
        """
        if bad > (self.most * rows / 100 if self.is_share else self.most):
            raise RowError(
                explain(
                    "Too many rows are bad; nothing is published.",
                    expected=f"at most {self}",
                    found=f"{bad} of {rows} rows",
                    hint="allow more with --max-bad-rows, or find the reason without --bad-rows: "
                    "the error then names the first bad row.",
                )
            )


NO_LIMIT = Limit()
