"""The folder of bad rows beside the output of a job. Driver.

Bad rows are written as Parquet files with the columns of the input, the reason and the input file.
They are shown just before the output, and withdrawn when the output cannot be shown.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfspark.errors import BindingError, UsageError, explain
from tfspark.scoring.output.folder import PathOutput

# Columns of a bad row after those of the input.
REASON = "_reason"
FILE = "_input_file"


class BadRowsOutput(PathOutput):
    """A folder of bad rows, which can be withdrawn after it was shown."""

    def check_beside(self, output: str) -> None:
        """Refuse the folder of the output, one in it, and one around it.

        Raises:
            UsageError: When rows and bad rows would be in one folder.
        """
        there = self._files.qualified(output).rstrip("/")
        if f"{there}/".startswith(f"{self._path}/") or f"{self._path}/".startswith(f"{there}/"):
            problem = "Bad rows need a folder that is not the output's."
            raise UsageError(explain(problem, found=self._path, hint="choose another --bad-rows."))

    def names_beside(self, names: Sequence[str]) -> list[str]:
        """Return the columns of the input, which all stand in a bad row.

        Raises:
            BindingError: When one is named like a column that bad rows have in addition.
        """
        for name in names:
            if name.lower() in (REASON, FILE):
                problem = f"Bad rows get a column {name!r}, and the input has one already."
                raise BindingError(explain(problem, hint="rename it, or leave out --bad-rows."))
        return list(names)

    def publish(self) -> None:
        """See `Output.publish`."""
        self._was_there = self._files.exists(self._path)
        super().publish()

    def withdraw(self) -> None:
        """Remove what `publish` has shown; rows that an overwrite replaced do not come back."""
        if not self._was_there:
            self._files.delete(self._path)
        for name in self.taken:
            self._files.delete(f"{self._path}/{name}")
