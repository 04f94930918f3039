"""Scores with the Scala bridge, inside the executors' JVM: `engine="jvm"`. Driver.

The result is a DataFrame or a column function that uses the bridge's operator, without a Python
worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.types import (
    AtomicType,
    BooleanType,
    ByteType,
    DataType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    ShortType,
)

from tfspark.bound_models import BoundModels
from tfspark.constants import Constant
from tfspark.dtypes import by_name
from tfspark.errors import BindingError, UsageError, explain, listing
from tfspark.feeding import InputBinding
from tfspark.schema import Binding
from tfspark.spark.cluster.names import numbered
from tfspark.spark.cluster.task_sketches import TaskSketches
from tfspark.spark.fed_frame import FedFrame
from tfspark.spark.jvm import function_in_jvm, refusal, register_in_jvm
from tfspark.spark.model_function import (
    FunctionRequest,
    Kind,
    ModelFunction,
    no_examples,
    to_column,
)

_SCORED = "scored"
# An array has one type. These types hold all values of the types beside them.
_SMALL: frozenset[DataType] = frozenset({BooleanType(), ByteType(), ShortType(), IntegerType()})
_COMMON: tuple[tuple[DataType, frozenset[DataType]], ...] = (
    (LongType(), _SMALL | {LongType()}),
    (DoubleType(), _SMALL | {FloatType(), DoubleType()}),
)


class JvmBackend:
    """Scores inside the JVM; see `Backend`."""

    def predict(
        self,
        fed: FedFrame,
        bound: BoundModels,
        sketches: TaskSketches | None = None,  # noqa: ARG002
        *,
        direct: bool = False,  # noqa: ARG002
    ) -> DataFrame:
        """Return the kept columns of a frame, one column per output, and the reason if asked for.

        Raises:
            UsageError: When there are several models, or features of Examples.
            EngineError: When the session does not have the bridge.
            BindingError: When the bridge refuses the call; its message says why.
        """
        if len(bound.models) > 1:
            hint = "score with one model after the other: the bridge sends no rows to Python."
            raise UsageError(explain('engine="jvm" cannot score several models.', hint=hint))
        if any(one.features for one in bound.bindings[0].inputs):
            problem = 'engine="jvm" builds no Examples from columns.'
            raise no_examples(problem, 'leave out engine="jvm".')
        (model,), (binding,) = bound.models, bound.bindings
        package, options = model.package, model.options
        fetch = {output.spec.name: output.column for output in binding.outputs}
        names = [field.name for field in binding.output_fields]
        labels = [label for bound in binding.inputs for label in _labels(bound, binding)]
        spark = fed.frame.sparkSession
        call = function_in_jvm(spark, package, options, fetch, labels=labels, terms="python")
        numbers = numbered(len(fed.frame.columns))
        number_of = dict(zip(fed.frame.columns, numbers, strict=True))
        types = {number_of[name]: fed.frame.schema[name].dataType for name in binding.columns}
        arguments = [
            column
            for bound in binding.inputs
            for column in _arguments(bound, number_of, binding, types)
        ]
        kept = [numbers[position] for position in fed.kept]
        scores = sf.col(_SCORED)
        outputs = [scores[name] for name in names] if len(names) > 1 else [scores]
        try:
            scored = fed.numbered().select(*kept, call(*arguments).alias(_SCORED))
            result = scored.select(*kept, *outputs)
            result = result.toDF(*fed.kept_schema.names, *names)
            _ = result.schema  # Connect analyses the plan only on request
        except AnalysisException as error:
            raise refusal(error) from error
        return result

    def function(self, request: FunctionRequest, kind: Kind) -> ModelFunction:  # noqa: ARG002
        """Return a function of columns; `kind` matters only for Python workers.

        Raises:
            EngineError: When the session does not have the bridge.
        """
        spark, package = request.spark, request.package
        call = function_in_jvm(spark, package, request.options, request.fetch)
        return ModelFunction(package.signature, call, "jvm")

    def register(self, request: FunctionRequest, name: str) -> ModelFunction:
        """Return a function of columns, and register it under a name in SQL.

        Raises:
            EngineError: When the session does not have the bridge.
            BindingError: When a Connect server refuses the model; its message says why.
        """
        function = self.function(request, "arrow")
        register_in_jvm(request.spark, name, request.package, request.options, request.fetch)
        return function


def _arguments(
    bound: InputBinding,
    numbers: Mapping[str, str],
    binding: Binding,
    types: Mapping[str, DataType],
) -> list[Column]:
    if bound.constant is not None:
        return [_constant(bound, bound.constant)]
    names = [numbers[name] for name in bound.columns]
    is_open = bound.is_vector_of_one and bound.spec.row_shape is None
    if is_open and isinstance(types[names[0]], AtomicType):
        return [sf.array(sf.col(names[0]))]
    if not bound.is_stacked or len(binding.inputs) == 1:
        return [sf.col(name) for name in names]
    kinds = {types[name] for name in names}
    if len(kinds) == 1:
        return [sf.array(*map(sf.col, names))]
    common = next((type_ for type_, exact in _COMMON if kinds <= exact), None)
    if common is None:
        raise BindingError(
            explain(
                f'engine="jvm" cannot stack the columns of input {bound.spec.name!r}, because no '
                "type holds all their values.",
                expected="one type, only integers, or floats with integers of at most 32 bits",
                found=listing(sorted(kind.simpleString() for kind in kinds)),
                hint="cast the columns to one type first.",
            )
        )
    return [sf.array(*(sf.col(name).cast(common) for name in names))]


def _constant(bound: InputBinding, constant: Constant) -> Column:
    """Return a constant as a column of literals, repeated to the shape of a row."""
    value = constant.array(by_name(bound.spec.dtype))
    row = bound.spec.row_shape or ()
    if value.shape == () and None not in row:
        value = np.broadcast_to(value, tuple(size or 0 for size in row))
    return _literal(value.tolist())


def _literal(value: Any) -> Column:
    if isinstance(value, list):
        return sf.array(*map(_literal, value))
    return to_column(bytearray(value) if isinstance(value, bytes) else value)


def _labels(bound: InputBinding, binding: Binding) -> Sequence[str]:
    """Return the names of an input's arguments in errors; a stack has one name per column."""
    if bound.constant is not None:
        return [bound.spec.name]
    is_vector = len(bound.spec.row_shape or ()) == 1
    return bound.columns if is_vector or len(binding.inputs) == 1 else bound.columns[:1]
