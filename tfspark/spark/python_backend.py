"""Scores in Python workers: DataFrames by `mapInArrow`, columns by UDFs. Driver.

`tfspark.spark.worker` contains the code of the workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyspark
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.types import DataType, StructField, StructType

from tfspark.bound_models import BoundModels
from tfspark.errors import UsageError, explain
from tfspark.schema import Binding
from tfspark.sketches import Wanted
from tfspark.spark.cluster.distribution import check_stream
from tfspark.spark.cluster.names import numbered
from tfspark.spark.cluster.pandas_check import check_pandas
from tfspark.spark.cluster.task_sketches import TaskSketches
from tfspark.spark.fed_frame import FedFrame
from tfspark.spark.file_frame import file_frame
from tfspark.spark.function_usage import show_usage, usage_of
from tfspark.spark.model_function import FunctionRequest, Kind, ModelFunction
from tfspark.spark.model_loading import handle_of, refuse_fastest
from tfspark.spark.types import output_schema, udf_type
from tfspark.spark.worker.argument_scorer import ArgumentScorer
from tfspark.spark.worker.model_chain import BoundModel, ModelChain
from tfspark.spark.worker.partition_scorer import PartitionScorer, Statistics


class PythonBackend:
    """Scores in Python workers; see `Backend`."""

    def predict(
        self,
        fed: FedFrame,
        bound: BoundModels,
        sketches: TaskSketches | None = None,
        *,
        direct: bool = False,
    ) -> DataFrame:
        """See `Backend.predict`."""
        check_pandas("mapInArrow")
        handles = []
        for model in bound.models:
            spark = fed.frame.sparkSession
            handle = handle_of(spark, model.package, model.options, model.choice)
            check_stream(fed.frame, handle.source)
            handles.append(handle)
        bindings = list(bound.bindings)
        files = file_frame(fed, bindings) if direct and sketches is None else None
        if files is None:
            fed, bindings = _stacked(fed, bound)
        chained = zip(handles, bindings, [model.options for model in bound.models], strict=True)
        chain = ModelChain(tuple(BoundModel(*one) for one in chained), bound.differences)
        passed = fed.passed(bindings)
        scorer = PartitionScorer(chain, fed.names_in_task(passed), len(fed.kept))
        if sketches is not None:
            scorer = replace(scorer, statistics=_statistics(sketches, fed, bound, scorer))

        def score_partition(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            return scorer(batches)  # Spark requires a function

        result = output_schema(fed.kept_schema, bound)
        numbers = _under_numbers(result)
        if files is None:
            scored = fed.numbered(passed).mapInArrow(score_partition, numbers)
        else:
            scored = files.scored(scorer, numbers)
        return scored.toDF(*result.names)

    def function(self, request: FunctionRequest, kind: Kind) -> ModelFunction:
        """Return a function of columns that is an Arrow or a pandas UDF."""
        refuse_fastest(request.options)
        handle = handle_of(request.spark, request.package, request.options)
        scorer = ArgumentScorer(handle, request.fetch, request.options)
        make = _arrow_function if kind == "arrow" else _pandas_function
        udf: Any = make(scorer, udf_type(request.outputs, request.options.reason))
        if request.package.random:  # otherwise Spark may call it again for a filter
            udf = udf.asNondeterministic()
        return ModelFunction(request.package.signature, udf, kind)

    def register(self, request: FunctionRequest, name: str) -> ModelFunction:
        """Return a function of columns, and register it under a name in SQL.

        A pandas UDF gets NaN for a null, and no types. `ModelFunction` adds both as arguments; in
        SQL, a user would have to write them into each call. So only Arrow UDFs are registered.

        Raises:
            UsageError: When this Spark has no Arrow UDFs.
        """
        if not _has_arrow_udfs():
            raise UsageError(
                explain(
                    "The SQL of this Spark cannot call a model.",
                    expected="Spark 4.1 or later",
                    found=f"Spark {pyspark.__version__}",
                    hint='score with predict, or with predict_udf(…, kind="pandas") on columns.',
                )
            )
        function = self.function(request, "arrow")
        request.spark.udf.register(name, function.udf)
        result = udf_type(request.outputs, request.options.reason).simpleString()
        show_usage(request.spark, name, usage_of(request.package, result))
        return function


def _stacked(fed: FedFrame, bound: BoundModels) -> tuple[FedFrame, list[Binding]]:
    """Combine the many scalar columns of an input, for each model."""
    bindings = []
    for model, one in zip(bound.models, bound.bindings, strict=True):
        binding = one
        # Other rules for nulls check each null element, and a reason names a column.
        if model.options.on_null == "null" and model.options.reason is None:
            fed, binding = fed.stacked(one)
        bindings.append(binding)
    return fed, bindings


def _statistics(
    sketches: TaskSketches, fed: FedFrame, bound: BoundModels, scorer: PartitionScorer
) -> Statistics:
    """Return the statistics to collect. A column made for an input gets the input's name."""
    if not sketches.statistics:
        return Statistics(None, sketches.of_frame())
    inputs: dict[str, str] = {}
    for one in (one for model in scorer.chain.models for one in model.binding.inputs):
        for column in one.columns:
            inputs.setdefault(one.spec.name if fed.is_expression(column) else column, column)
    predictions = tuple(bound.predictions)
    sampled = (*sketches.shown(scorer.names[: scorer.kept]), *predictions)
    wanted = Wanted(inputs, predictions, sketches.reason, sampled, sketches.rows)
    return Statistics(wanted.described(), sketches.of_frame())


def _under_numbers(schema: StructType) -> StructType:
    """Return the fields of a schema with positions as names."""
    names = numbered(len(schema))
    return StructType(
        [
            StructField(name, field.dataType, field.nullable, field.metadata)
            for name, field in zip(names, schema, strict=True)
        ]
    )


def _has_arrow_udfs() -> bool:
    """Whether this Spark has Arrow UDFs, as Spark 4.1 and later have."""
    return hasattr(sf, "arrow_udf")


def _arrow_function(scorer: ArgumentScorer, result: DataType) -> Callable[..., Column]:
    if not _has_arrow_udfs():
        raise UsageError(
            explain(
                "This Spark has no Arrow UDFs.",
                expected="Spark 4.1 or later",
                hint='use kind="pandas".',
            )
        )

    def predict(arguments: Any) -> Any:
        return scorer(arguments)

    # Spark reads the kind of the function from its type hints, which must not be strings.
    predict.__annotations__ = {
        "arguments": Iterator[tuple[pa.Array, ...]],  # type: ignore[type-arg]
        "return": Iterator[pa.Array],  # type: ignore[type-arg]
    }
    return sf.arrow_udf(predict, result)  # type: ignore[no-any-return, attr-defined]


def _pandas_function(scorer: ArgumentScorer, result: DataType) -> Callable[..., Column]:
    check_pandas("pandas UDFs")
    from tfspark.spark.pandas_function import pandas_function

    return pandas_function(scorer, result)
