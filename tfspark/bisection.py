"""Finds the rows that a model refuses, by halving a batch that fails. Executor.

`first_refused` finds one row, for an error that names it. `Search` finds all of them and scores the
others, with at most 2·log2(rows) calls of the model for each refused row, not counting the call
that failed first. The others are scored in a batch of the same size, in which a good row takes the
place of each refused one. The same kernels then run as in a clean run, so all bits of the results
are equal.

A `MachineError`, which no row can cause, ends a search. A batch that fails although each of its
rows works alone has no refused rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from tfspark.engine.protocol import MachineError
from tfspark.errors import EngineError
from tfspark.row_by_row import ShapesDifferError
from tfspark.tensors import Group, Tensor

Results: TypeAlias = Mapping[str, Tensor]
Run: TypeAlias = Callable[[Group], Results]


def first_refused(run: Run, group: Group) -> int | None:
    """Return the position of a row that the model refuses alone; `None` when there is none.

    Raises:
        MachineError: When no row is the reason.
    """
    start, stop = 0, len(group.rows)
    while stop - start > 1:
        middle = (start + stop) // 2
        fails = _error_of(run, group, start, middle) is not None
        start, stop = (start, middle) if fails else (middle, stop)
    return None if _error_of(run, group, start, stop) is None else start


def _error_of(run: Run, group: Group, start: int, stop: int) -> EngineError | None:
    """Return the error of some rows; an error that no row can cause is raised."""
    try:
        run(group.slice(start, stop))
    except ShapesDifferError:  # the model took each of the rows
        return None
    except MachineError:
        raise
    except EngineError as error:
        return error
    return None


@dataclass
class Search:
    """The search for the refused rows of a batch that failed.

    Attributes:
        run: Calls the model.
        group: The batch.
        refused: Position of a refused row → the error of the model.
    """

    run: Run
    group: Group
    refused: dict[int, EngineError] = field(default_factory=dict)
    _open: list[tuple[int, int]] = field(default_factory=list)

    def others(self, error: EngineError) -> Results | None:
        """Find the refused rows, and return the results of the batch without them.

        Most failing batches have only one such row. So when the halving finds a row, it is assumed
        to be the only one; the call that scores the others checks this.

        Args:
            error: The error of the model for the whole batch.

        Returns:
            Results with as many rows as the batch; the values of refused rows have no meaning.
            `None` when every row is refused, or when `refused` is empty: the batch fails only as a
            whole.
        """
        suspect = self._descend(0, len(self.group.rows), error)
        results = self._without_refused()
        if results is not None or len(self.refused) == len(self.group.rows):
            return results
        if suspect is not None:
            del self.refused[suspect]
            self._open.append((suspect, suspect + 1))
        while self._open:
            start, stop = self._open.pop()
            found = _error_of(self.run, self.group, start, stop)
            suspect = None if found is None else self._descend(start, stop, found)
            if (
                suspect is not None
                and _error_of(self.run, self.group, suspect, suspect + 1) is None
            ):
                del self.refused[suspect]
        results = self._without_refused()
        if results is None and len(self.refused) < len(self.group.rows):
            self.refused.clear()
        return results

    def _descend(self, start: int, stop: int, error: EngineError) -> int | None:
        """Halve a failing part until one row is left; the halves that were not run stay open.

        Returns:
            The refused row, if it was never run alone but is the only row left; otherwise `None`.
        """
        suspect = None
        while stop - start > 1:
            middle = (start + stop) // 2
            found = _error_of(self.run, self.group, start, middle)
            if found is None:
                start = suspect = middle
            else:
                self._open.append((middle, stop))
                stop, error, suspect = middle, found, None
        self.refused[start] = error
        return suspect if suspect == start else None

    def _without_refused(self) -> Results | None:
        """Run the batch with another row in the place of each refused one; `None` if it fails."""
        positions = np.arange(len(self.group.rows))
        good = np.setdiff1d(positions, list(self.refused))
        if not self.refused or not len(good):
            return None
        positions[list(self.refused)] = good[0]
        try:
            return self.run(self.group.take(positions))
        except MachineError:
            raise
        except EngineError:
            return None
