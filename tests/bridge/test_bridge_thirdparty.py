"""Third-party models in the JVM: bit-equal to TensorFlow, or a helpful refusal.

By default a case goes through `predict` and one other API; `TFSPARK_THIRDPARTY=long` takes every
case through every API.
"""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.session import Session
from tests.thirdparty.case import Case
from tests.thirdparty.cases import CASES, write
from tests.thirdparty.equal import differences

IS_LONG = os.environ.get("TFSPARK_THIRDPARTY") == "long"
OTHERS = ("function", "register", "tf_predict")

SCORE = """
from pathlib import Path
from tests.bridge.thirdparty import score_all
score_all(spark, Path(FOLDER), ASKED)
answer(None)
"""


def apis_of(number: int, case: Case) -> tuple[str, ...]:
    """Return the APIs that a case goes through in this run."""
    others = OTHERS if IS_LONG else OTHERS[number % 3 :][:1]
    return ("predict", *others) if case.by_call else ("predict",)


ASKED = {case.name: apis_of(number, case) for number, case in enumerate(CASES)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every model."""
    made = tmp_path_factory.mktemp("thirdparty-bridge")
    for case in CASES:
        write(case, made)
    return made


@pytest.fixture(scope="module")
def found(session: Session, folder: Path) -> Mapping[tuple[str, str], Any]:
    """The results of each API of the bridge for each case."""
    session.ask(f"FOLDER, ASKED = {str(folder)!r}, {ASKED!r}\n{SCORE}")
    return pickle.loads((folder / "results.pickle").read_bytes())  # type: ignore[no-any-return]


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [one for one in CASES if not one.refused], ids=lambda one: one.name
)
def test_the_bridge_gives_what_tensorflow_gives(case: Case, found: Any, folder: Path) -> None:
    from tests.thirdparty import reference

    wanted = reference.answers(case, folder / case.model)
    for api in ASKED[case.name]:
        rows = found[api, case.name]
        assert not isinstance(rows, str), f"{api}: {rows}"
        assert not differences(rows, wanted), api


@pytest.mark.slow
@pytest.mark.parametrize("case", [one for one in CASES if one.refused], ids=lambda one: one.name)
def test_the_bridge_refuses_with_the_words_that_help(case: Case, found: Any) -> None:
    for api in ASKED[case.name]:
        said = found[api, case.name]
        assert isinstance(said, str), f"{api}: {said}"
        # SQL spells the options differently.
        assert not re.search("NullPointer|INTERNAL_ERROR|MatchError", said), f"{api}: {said}"
        assert api == "tf_predict" or re.search(case.refused, said, re.DOTALL), f"{api}: {said}"
