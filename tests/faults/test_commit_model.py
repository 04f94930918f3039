"""The model of the commit has no bad state; `make test-faults` explores all cases of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.commit_model import Mode
from tests.faults.explore import Case


@pytest.mark.parametrize(("one", "other"), [("error", "overwrite"), ("error", "append")])
def test_no_interleaving_of_two_jobs_with_one_fault_is_bad(
    one: Mode, other: Mode, figure: Any
) -> None:
    case = Case({"A": one, "B": other}, exchanges=False, is_there=True)
    case.explore()
    figure(f"{case}: {len(case.seen)} states")
    assert len(case.seen) > 10_000
    assert not case.bad


@pytest.mark.parametrize("step", ["take", "check", "count"])
def test_the_model_notices_a_step_that_is_left_out(step: str) -> None:
    modes: dict[str, Mode] = {"A": "overwrite", "B": "append"}
    case = Case(modes, exchanges=False, is_there=True, without=frozenset({step}))
    case.explore(first_bad=True)
    assert case.bad
