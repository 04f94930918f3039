"""SIGTERM ends a job as Ctrl-C does, also in a process that Python did not start."""

from __future__ import annotations

import signal

import pytest

from tfspark.scoring.signals import terminated_as_interrupted


def test_a_handler_that_was_not_set_from_python_does_not_end_the_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handlers: list[object] = []
    # Python returns None for such a handler, and does not accept it.
    monkeypatch.setattr(signal, "signal", lambda _, handler: handlers.append(handler))
    with terminated_as_interrupted():
        pass
    assert handlers[-1] is signal.SIG_DFL
