"""Chooses the engine of each model for which the caller asks for the fastest. Driver.

One task times the installed engines on the first rows of the input. Its choice is used for all
rows, so partitions never use different engines. A session asks once for a model and its settings.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from tfspark import dtypes
from tfspark.bound_models import BoundModels, NamedModel
from tfspark.engine.registry import check_model
from tfspark.engine_choice import EngineChoice
from tfspark.errors import EngineError, UsageError, explain
from tfspark.schema import Binding
from tfspark.signature import Signature
from tfspark.spark.cluster.failures import own_errors
from tfspark.spark.cluster.lost_workers import naming_lost_workers
from tfspark.spark.fed_frame import FedFrame
from tfspark.spark.model_loading import handle_of
from tfspark.spark.worker.engine_trial import MOST_ROWS, EngineTrial
from tfspark.spark.worker.model_chain import BoundModel, ModelChain

_log = logging.getLogger(__name__)

# Times the engines for the models of a chain; returns one choice for each, or none without rows.
Trial: TypeAlias = Callable[[ModelChain], Sequence[EngineChoice]]

# The rows of a frame pass through the driver.
_MOST_BYTES = 8 << 20
_UNKNOWN_SIZE = 1024

_CHOSEN: WeakKeyDictionary[SparkSession, dict[str, EngineChoice]] = WeakKeyDictionary()


def with_engines(spark: SparkSession, bound: BoundModels, trial: Trial) -> BoundModels:
    """Return the models with a choice for each one that asks for the fastest engine.

    Args:
        spark: The session.
        bound: The models and their bindings.
        trial: Times the engines on the first rows, and returns one choice for each model.

    Raises:
        EngineError: When two engines give different answers.
        TfsparkError: A row cannot be scored, or the worker crashed.
    """
    known = _CHOSEN.setdefault(spark, {})
    wanted = {at: _key(model) for at, model in enumerate(bound.models) if _is_open(model)}
    for at, key in wanted.items():
        if key not in known and (choice := _without_trial(bound.models[at], bound.bindings[at])):
            known[key] = choice
    untimed = [at for at, key in wanted.items() if key not in known]
    if untimed:
        chain = chain_of(spark, bound, untimed)
        with own_errors(), naming_lost_workers(chain.subject, lambda _: "while it was timed"):
            choices = trial(chain)
        known |= {wanted[at]: choice for at, choice in zip(untimed, choices, strict=False)}
    models = list(bound.models)
    for at, key in wanted.items():
        choice = known.get(key, EngineChoice("auto", refused={"openvino": "there are no rows"}))
        _log.info("model %s: %s", models[at].package.name, choice)
        models[at] = replace(models[at], choice=choice)
    return replace(bound, models=tuple(models))


def chain_of(spark: SparkSession, bound: BoundModels, positions: Sequence[int]) -> ModelChain:
    """Return some models as a chain for one task."""
    pairs = [(bound.models[at], bound.bindings[at]) for at in positions]
    return ModelChain(
        tuple(
            BoundModel(handle_of(spark, model.package, model.options), binding, model.options)
            for model, binding in pairs
        )
    )


def trial_on_frame(fed: FedFrame) -> Trial:
    """Return a function that times the engines on the first rows of a frame.

    Raises:
        UsageError: When the frame is a stream, whose rows cannot be read before it starts.
    """
    spark = fed.frame.sparkSession

    def run(chain: ModelChain) -> Sequence[EngineChoice]:
        if fed.frame.isStreaming:
            problem = "A stream has no rows before it starts, so engines cannot be timed."
            hint = "name the engine; tfspark.testing.compare_engines(model, rows) times them."
            raise UsageError(explain(problem, found='engine="fastest"', hint=hint))
        passed = replace(fed, kept=()).passed([one.binding for one in chain.models])
        trial = EngineTrial(chain, fed.names_in_task(passed))

        def as_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            return trial.as_batches(batches)  # Spark requires a function

        frame = fed.numbered(passed)
        # `limit` would run a task for every partition; `head` reads one partition, then more.
        rows = frame.head(_rows(chain))
        if not rows:
            return []
        some = spark.createDataFrame(rows, frame.schema, verifySchema=False).coalesce(1)
        found = some.mapInArrow(as_batches, "choice string").collect()
        return [EngineChoice(**json.loads(row["choice"])) for row in found]

    return run


def _is_open(model: NamedModel) -> bool:
    return model.options.engine == "fastest" and model.choice is None


def _key(model: NamedModel) -> str:
    package = model.package
    return repr((package.digest, package.tags, package.signature))


def _without_trial(model: NamedModel, binding: Binding) -> EngineChoice | None:
    """Return the choice if OpenVINO cannot run the graph, or if no column feeds the model."""
    package = model.package
    if not binding.columns:
        return EngineChoice("auto", refused={"openvino": "only constants feed the model"})
    try:
        check_model("openvino", package.path, package.tags, package.signature)
    except EngineError as error:
        return EngineChoice("auto", refused={"openvino": " ".join(str(error).split())})
    return None


def _rows(chain: ModelChain) -> int:
    """Return how many rows the trial reads."""
    size = sum(_row_bytes(one.handle.signature) for one in chain.models)
    return max(1, min(MOST_ROWS, _MOST_BYTES // size))


def _row_bytes(signature: Signature) -> int:
    """Return the bytes of the inputs of one row; a guess where the signature leaves sizes open."""
    return sum(
        np.dtype(dtypes.by_name(spec.dtype).numpy).itemsize * (spec.row_size or _UNKNOWN_SIZE)
        for spec in signature.inputs
    )
