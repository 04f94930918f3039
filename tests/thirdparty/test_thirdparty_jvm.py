"""Third-party models in the JVM: TensorFlow's values, or the refusal of Python's engines."""

from __future__ import annotations

import re
from pathlib import Path

from tests.bridge.conftest import environment, jar, session, start
from tests.bridge.session import Session
from tests.thirdparty.cases import CASES

__all__ = ["environment", "jar", "session", "start"]  # fixtures

PROGRAM = """
from pathlib import Path
from tests.thirdparty.in_jvm import outcomes
answer(outcomes(spark, Path({folder!r})))
"""


def test_jvm_gives_what_tensorflow_gives(session: Session, tmp_path: Path) -> None:
    found = session.ask(PROGRAM.format(folder=str(tmp_path)))
    wrong = {case.name: found[case.name] for case in CASES if not case.refused and found[case.name]}
    assert not wrong
    missed = {
        case.name: found[case.name]
        for case in CASES
        if case.refused and not re.search(case.refused, str(found[case.name]), re.DOTALL)
    }
    assert not missed
