"""The line of progress: rows, speed, rejected rows, time left, and never more than the width."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tfspark.spark.cluster.progress_line import State, at_end, bar_of, in_words
from tfspark.spark.cluster.tally import Tally

HALF = State(10.0, tasks_done=3, tasks=8, rows_done=5000, rows=10_000, rejected=2)


def test_a_bar_shows_rows_speed_rejected_rows_and_the_time_left() -> None:
    facts = "5,000 of 10,000 rows, 500 rows/s, 2 rejected, 10 s left"
    assert bar_of("scoring", HALF, 200) == f"scoring [==========          ]  50%  {facts}"
    assert in_words("scoring", HALF) == f"scoring: {facts}"


@pytest.mark.parametrize("width", [20, 40, 79])
def test_a_line_fits_the_terminal(width: int) -> None:
    assert len(bar_of("scoring", HALF, width)) < width


def test_without_rows_there_are_tasks() -> None:
    state = State(30.0, tasks_done=1, tasks=4)
    assert in_words("query", state) == "query: 1 of 4 tasks, 1:30 min left"
    assert bar_of("query", state, 80).startswith("query [=====               ]  25%")


def test_before_the_first_task_there_is_no_guess() -> None:
    assert bar_of("scoring", State(2.0), 80) == "scoring: planning, 2 s"
    assert in_words("scoring", State(2.0, tasks=4, rows_done=0, rows=10)) == (
        "scoring: 0 of 4 tasks, 2 s"
    )


def test_kept_rows_are_done_but_not_scored_now() -> None:
    state = replace(HALF, kept=4000)
    assert state.share == 0.5
    assert state.speed == 100
    assert state.seconds_left == 50


def test_the_end_has_rows_and_seconds() -> None:
    assert at_end("scoring", HALF) == "scoring: 5,000 of 10,000 rows, 500 rows/s, 2 rejected, 10 s"
    assert at_end("query", State(30.0)) == "query: 30 s"


def test_hours() -> None:
    assert in_words("x", State(3600.0, tasks_done=1, tasks=3)).endswith("2:00:00 h left")


def test_a_tally_never_exceeds_its_total() -> None:
    class Fixed:
        value = 12

    tally = Tally(total=10, kept=3)
    assert (tally.rows_done, tally.rejected) == (None, 0)
    tally._counts = (Fixed(), Fixed())  # type: ignore[assignment]
    assert (tally.rows_done, tally.rejected) == (10, 12)
