"""Third-party models in OpenVINO: TensorFlow's results, or a refusal before the first row."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import pytest

from tests.thirdparty.apis import by_runner
from tests.thirdparty.case import Case
from tests.thirdparty.cases import CASES
from tests.thirdparty.equal import differences
from tfspark.engine.protocol import CannotServeError

pytestmark = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")

SCORED = [case for case in CASES if not case.refused]


@pytest.mark.parametrize("case", SCORED, ids=lambda case: case.name)
def test_openvino_gives_what_tensorflow_gives_or_refuses(
    case: Case, model: Any, answers: Any
) -> None:
    case = replace(case, options={**case.options, "on_error": "null"})
    try:
        found = by_runner(case, model(case), "openvino")
    except CannotServeError:
        return  # before the first row
    pairs = list(zip(found, answers(case), strict=True))
    scored = [(row, answer) for row, answer in pairs if answer is None or None not in row.values()]
    assert scored  # rows with NaN or infinity are refused
    assert not differences(*zip(*scored, strict=True), relative=1e-5)
