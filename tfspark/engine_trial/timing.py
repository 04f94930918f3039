"""Times the installed engines on the same rows, and compares their answers. Executor.

The engines take turns, and each scores the rows repeatedly. If the machine becomes slower, all
engines are affected. The fastest one is chosen if its answers agree with those of TensorFlow.

Invariants: TensorFlow's kernels are chosen unless another engine is clearly faster; answers that
differ beyond tolerance are an error; the caller opens the engines and keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from statistics import median
from time import perf_counter

import pyarrow as pa

from tfspark.batch_size import FIRST_ROWS, rows_within
from tfspark.engine import Engine
from tfspark.engine.protocol import CannotServeError
from tfspark.engine.registry import AUTO, ENGINES
from tfspark.engine_choice import EngineChoice
from tfspark.engine_trial.agreement import TOLERANCE, first_difference
from tfspark.errors import EngineError, explain
from tfspark.options import EngineName
from tfspark.origin import Origin
from tfspark.runner import score
from tfspark.schema import Binding

# `auto` is the reference: its answers are TensorFlow's.
CANDIDATES: tuple[EngineName, ...] = ("auto", "openvino")
# An engine must be this much faster than the reference, because smaller differences are noise.
MARGIN = 1.05
# One engine's turn, and the number of turns; the first turn also chooses the batch size.
_TURN_SECONDS = 0.25
_TURNS = 5
# Answers are compared over this many rows at once, for about this long: a heavy model may need
# minutes for all rows.
_COMPARED_ROWS = 64
_COMPARED_SECONDS = 2.0
# The most rows of a batch in the trial.
_MOST_ROWS = 65_536

Open = Callable[[EngineName], Engine]


def choose_engine(
    rows: pa.RecordBatch,
    binding: Binding,
    open_engine: Open,
    origin: Origin,
    model_bytes: int = 0,
) -> EngineChoice:
    """Time the engines and return the fastest.

    Args:
        rows: Rows of the input, one or more.
        binding: The columns that are fed and the outputs that are returned.
        open_engine: Opens the model with an engine.
        origin: The model, for errors.
        model_bytes: The size of the model's files.

    Raises:
        EngineError: When no engine can run the model, or two engines give different answers.
        RowError: When a row cannot be scored.
    """
    engines, refused = _opened(open_engine)
    if len(engines) == 1:
        return EngineChoice(next(iter(engines)), refused=refused)
    answers, row_seconds = _answers(rows, binding, engines, origin)
    reference, *others = engines
    for name in others:
        if reason := _disagreement(answers[reference], answers[name], name, origin):
            refused[name] = reason
            del engines[name]
    some = rows.select(list(binding.columns))
    batches = _in_batches(some, row_seconds)
    rates = _rates(batches, binding, engines, origin, model_bytes)
    fastest = max(engines, key=rates.__getitem__)
    chosen = fastest if rates[fastest] >= MARGIN * rates[reference] else reference
    return EngineChoice(chosen, rates, refused)


def joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Return the rows of several batches as one batch."""
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


def _opened(open_engine: Open) -> tuple[dict[EngineName, Engine], dict[EngineName, str]]:
    """Open the model with each candidate; return the engines, and why others cannot run it."""
    engines: dict[EngineName, Engine] = {}
    refused: dict[EngineName, str] = {}
    errors: list[EngineError] = []
    for name in CANDIDATES:
        try:
            engines[name] = open_engine(name)
        except CannotServeError as error:
            refused[name] = " ".join(str(error).split())
            errors.append(error)
    if not engines:
        raise errors[0]
    return engines, refused


def _answers(
    rows: pa.RecordBatch, binding: Binding, engines: Mapping[EngineName, Engine], origin: Origin
) -> tuple[dict[EngineName, pa.RecordBatch], float]:
    """Return the answers of each engine for the first rows, and the least time of a row."""
    scored: dict[EngineName, list[pa.RecordBatch]] = {name: [] for name in engines}
    begin, least = perf_counter(), float("inf")
    for at in range(0, rows.num_rows, _COMPARED_ROWS):
        some = rows.slice(at, _COMPARED_ROWS)
        for name, engine in engines.items():
            start = perf_counter()
            scored[name] += score([some], binding, engine, keep=(), origin=origin)
            least = min(least, (perf_counter() - start) / some.num_rows)
        if perf_counter() - begin > _COMPARED_SECONDS:
            break
    return {name: joined(batches) for name, batches in scored.items()}, least


@dataclass
class _Runner:
    """Scores the same batches without end, one turn at a time."""

    scored: Iterator[pa.RecordBatch]
    rates: list[float] = field(default_factory=list)

    def turn(self) -> None:
        rows, start = 0, perf_counter()
        while (spent := perf_counter() - start) < _TURN_SECONDS:
            rows += next(self.scored).num_rows
        self.rates.append(rows / spent)


def _rates(
    batches: Sequence[pa.RecordBatch],
    binding: Binding,
    engines: Mapping[EngineName, Engine],
    origin: Origin,
    model_bytes: int,
) -> dict[EngineName, float]:
    """Return engine → rows per second."""

    def running(engine: Engine) -> _Runner:
        rows = cycle(batches)
        scored = score(rows, binding, engine, keep=(), origin=origin, model_bytes=model_bytes)
        return _Runner(scored)

    runners = {name: running(engine) for name, engine in engines.items()}
    for _ in range(_TURNS):
        for runner in runners.values():
            runner.turn()
    return {name: median(runner.rates[1:]) for name, runner in runners.items()}


def _in_batches(rows: pa.RecordBatch, row_seconds: float) -> Sequence[pa.RecordBatch]:
    """Repeat or cut rows: batches have the usual size, or fewer rows if those fill a turn."""
    row_bytes = rows.nbytes / rows.num_rows
    # Batches hold whole windows of a heavy model, because a window across two batches would count
    # in one turn only.
    in_a_turn = (int(_TURN_SECONDS / max(row_seconds, 1e-9)) // FIRST_ROWS + 1) * FIRST_ROWS
    size = min(rows_within(row_bytes), _MOST_ROWS, in_a_turn)
    if size <= rows.num_rows:
        return [rows.slice(at, size) for at in range(0, rows.num_rows, size)]
    return [joined([rows] * (size // rows.num_rows))]


def _disagreement(
    expected: pa.RecordBatch, found: pa.RecordBatch, engine: EngineName, origin: Origin
) -> str:
    """Return why an engine is not used although it can run the model; empty if its answers agree.

    Raises:
        EngineError: When a number differs by more than the tolerance.
    """
    for column, left, right in zip(
        expected.schema.names, expected.columns, found.columns, strict=True
    ):
        different = first_difference(left, right)
        if different is None:
            continue
        row = different.row
        if not different.is_beyond:
            return f"{ENGINES[engine].title} gives another class for row {row} in column {column!r}"
        raise EngineError(
            explain(
                f"{origin.at(f'row {row} of the trial')}: two engines give different answers in "
                f"column {column!r}.",
                expected=f"{left[row].as_py()} by {ENGINES[AUTO[0]].title.lower()}, within "
                f"{TOLERANCE:g} of the largest value",
                found=f"{right[row].as_py()} by {ENGINES[engine].title}",
                hint="name the engine that should score this model, for example native.",
            )
        )
    return ""
