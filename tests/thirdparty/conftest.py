"""Models and the answers of TensorFlow, each made once per run and only on demand."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.thirdparty.case import Case

Model = Callable[[Case], Path]
Answers = Callable[[Case], list[Any]]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Return the base path of a case's model."""
    from tests.thirdparty.cases import write

    folder = tmp_path_factory.mktemp("thirdparty")
    return lambda case: write(case, folder)


@pytest.fixture(scope="session")
def answers(model: Model) -> Answers:
    """Return TensorFlow's answers for a case."""
    from tests.thirdparty import reference

    cases: dict[str, Case] = {}

    @cache
    def of(name: str) -> list[Any]:
        return reference.answers(cases[name], model(cases[name]))

    def ask(case: Case) -> list[Any]:
        cases[case.name] = case
        return of(case.name)

    return ask
