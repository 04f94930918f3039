"""Third-party models through the runner, in this process: bit-equal to TensorFlow, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.thirdparty import kernels
from tests.thirdparty.apis import by_runner
from tests.thirdparty.case import Case
from tests.thirdparty.cases import CASES
from tests.thirdparty.equal import differences
from tfspark.errors import EngineError, TfsparkError

SCORED = [case for case in CASES if not case.refused]
REFUSED = [case for case in CASES if case.refused]


def test_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", SCORED, ids=lambda case: case.name)
def test_runner_gives_what_tensorflow_gives(case: Case, model: Any, answers: Any) -> None:
    assert not differences(by_runner(case, model(case)), answers(case))


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_runner_refuses_with_the_words_that_help(case: Case, model: Any) -> None:
    with pytest.raises(TfsparkError, match=f"(?s){case.refused}"):
        by_runner(case, model(case))


@pytest.mark.parametrize("case", kernels.CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("engine", ["auto", "native"])
def test_no_row_is_blamed_for_an_operation(case: Case, engine: str, model: Any) -> None:
    with pytest.raises(EngineError, match=case.refused) as refusal:
        by_runner(case, model(case), engine)
    assert "fix the row" not in str(refusal.value)
