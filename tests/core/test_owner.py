"""The owner of a lock, and the detection of its end."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tfspark.scoring.output.in_flight import InFlight
from tfspark.scoring.output.owner import Owner

NO_PROCESS = 2**22 + 1  # Linux has at most 2**22


@pytest.mark.parametrize("hides", [True, False])
@pytest.mark.parametrize("user", ["mine", "another"])
def test_a_process_that_is_not_seen_has_ended_unless_it_is_hidden(
    user: str, hides: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Owner.this_process()
    if not here.machine:
        pytest.skip("this system does not tell its processes apart")
    monkeypatch.setattr(os, "access", lambda *_: not hides)
    gone = replace(here, pid=NO_PROCESS, user=here.user if user == "mine" else user)
    assert gone.has_ended() == (user == "mine" or not hides)
    assert not here.has_ended()
    assert replace(here, started="0").has_ended()


def test_a_process_is_known_to_run_only_on_its_machine() -> None:
    here = Owner.this_process()
    assert here.is_running() == bool(here.machine)
    for change in ({"machine": "another"}, {"machine": ""}, {"started": "0"}, {"pid": NO_PROCESS}):
        assert not replace(here, **change).is_running()


def test_a_process_that_cannot_be_told_apart_does_not_keep_a_job_away() -> None:
    here = Owner.this_process()
    assert InFlight("commit", here).is_at_work == bool(here.machine)
    unknown = replace(here, machine="", started="")  # as on macOS
    assert not InFlight("commit", unknown).is_at_work
    assert not InFlight("commit", replace(here, started="")).is_at_work
