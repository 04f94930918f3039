"""Models of other people through the runner, in this process: TensorFlow's bits, or a refusal."""

from __future__ import annotations

from typing import Any

import pytest

from tests.thirdparty.apis import by_runner
from tests.thirdparty.case import Case
from tests.thirdparty.equal import differences
from tests.thirdparty.models import CASES
from tfspark.errors import TfsparkError

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
