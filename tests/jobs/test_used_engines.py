"""The engine in a report, when not all tasks or batches were scored by the same engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tfspark.engine_choice import EngineChoice, merged, reasons
from tfspark.scoring.direct import _outcome
from tfspark.scoring.engine_facts import used_engines
from tfspark.scoring.parts import Part
from tfspark.spark.cluster.task_sketches import Gathered, OncePerTask

NATIVE = EngineChoice("native")
INSTEAD = EngineChoice("tensorflow", refused={"native": "no kernel"})


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((), (), ()),
        ((NATIVE,), (), (NATIVE,)),
        ((), (INSTEAD,), (INSTEAD,)),
        ((NATIVE,), (INSTEAD,), (INSTEAD,)),
        ((INSTEAD,), (NATIVE,), (INSTEAD,)),
        ((INSTEAD, NATIVE), (NATIVE, INSTEAD), (INSTEAD, INSTEAD)),
    ],
)
def test_a_change_of_the_engine_in_one_task_counts(
    one: tuple[EngineChoice, ...],
    other: tuple[EngineChoice, ...],
    expected: tuple[EngineChoice, ...],
) -> None:
    assert merged(one, other) == expected
    gathered = OncePerTask().addInPlace(Gathered({0}, choices=one), Gathered({1}, choices=other))
    assert gathered.choices == expected
    parts = [Part(number, "", 1, 1, 0, choices=some) for number, some in enumerate((one, other))]
    assert _outcome(parts).choices == expected


def test_a_timing_keeps_the_reasons_of_the_tasks() -> None:
    timed = EngineChoice("openvino", {"openvino": 9.0}, {"tensorflow": "slow"})
    used = EngineChoice("openvino", refused={"openvino": "NaN"})
    models: list[Any] = [SimpleNamespace(key="", choice=timed)]
    found = used_engines(models, [used])
    assert found["rows_per_second"] == {"openvino": 9.0}
    assert reasons(found["engine"], found["refused"]) == [
        "tensorflow is not used: slow",
        "openvino did not score all batches: NaN",
    ]
