"""`predict`: score a DataFrame by mapInArrow. Driver; what runs on executors is in `task`.

The result has the prediction columns beside the kept ones. It is lazy, as every DataFrame; what can
be wrong about names and types is raised at the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.types import StructField, StructType

from tfspark.columns import resolve
from tfspark.dtypes import by_name
from tfspark.errors import BindingError, UsageError, explain, explain_all
from tfspark.fetching import Strings
from tfspark.package import ModelPackage
from tfspark.schema import Binding, bind, kept_columns
from tfspark.spark.cluster.distribution import check_stream
from tfspark.spark.cluster.names import quoted
from tfspark.spark.cluster.pandas_there import check_pandas
from tfspark.spark.fed_frame import FedFrame, FeedValue
from tfspark.spark.jvm import predict_in_jvm
from tfspark.spark.options import Model, ScoreOptions, check_columns, handle_of, model_of
from tfspark.spark.pipelines import check_analysed
from tfspark.spark.types import columns_of, output_schema, passes
from tfspark.spark.worker.task import PartitionScorer
from tfspark.terms import PYTHON, Terms

if TYPE_CHECKING:
    from typing_extensions import Unpack

# Spark writes a batch column by column; so many scalars of one input cost more than one array.
MANY = 16


@dataclass(frozen=True)
class ScoredFrame:
    """A scored DataFrame and the binding by which its rows are scored."""

    frame: DataFrame
    binding: Binding


def predict(
    df: DataFrame,
    model: Model,
    *,
    feed: Mapping[str, FeedValue] | None = None,
    fetch: Mapping[str, str] | None = None,
    keep: Sequence[str] | None = None,
    narrow: bool = False,
    strings: Strings = "string",
    **options: Unpack[ScoreOptions],
) -> DataFrame:
    """Score every row of a DataFrame.

    Args:
        df: Any DataFrame.
        model: A path (export dir or base path), a URI that Spark reads, or a loaded `ModelPackage`.
        feed: Input → column name, field of a struct (`s.field`), Column expression, list of such
            scalars to stack, or a constant (a number, a bool, bytes). An input left out takes the
            column of its own name, or the field of its name of the one struct that has the fields
            of all; a single input takes the single fitting column.
        fetch: Output → new column. Left out: all outputs, under their own names.
        keep: Columns to pass on beside the predictions; by default all, in order.
        narrow: Allow to feed numbers that may have fractions (double, decimal) to an integer input;
            a value that has one is then an error that names its row.
        strings: Spark type of string outputs: `string` or `binary`.
        options: See `ScoreOptions`.

    Returns:
        The kept columns, then one column per output. Row order inside a partition is kept. A row
        with a null in an input, at any depth, gives null outputs unless `on_null` says otherwise.

    Raises:
        ModelNotFoundError: No model, or no such version, at the path.
        InvalidModelError: The model is broken or incomplete.
        SignatureNotFoundError: No such signature.
        UsageError: No such option, or not that value of it; or no DataFrame.
        BindingError: Inputs, outputs and columns do not fit; all mismatches in one message.

    Example:
        >>> predict(df, "models/linear_model", feed={"inputs": "features"})  # doctest: +SKIP
    """
    scored = score_frame(
        df,
        model,
        feed=feed,
        fetch=fetch,
        keep=keep,
        narrow=narrow,
        strings=strings,
        options=options,
    )
    return scored.frame


def score_frame(
    df: DataFrame,
    model: Model,
    *,
    feed: Mapping[str, FeedValue] | None,
    fetch: Mapping[str, str] | None,
    keep: Sequence[str] | None,
    narrow: bool,
    strings: Strings,
    options: ScoreOptions,
    terms: Terms = PYTHON,
) -> ScoredFrame:
    """Do what `predict` does, and return the binding too; hints are in the words of `terms`."""
    check_columns(feed=feed, fetch=fetch, keep=keep, strings=strings)
    _check_frame(df)
    check_analysed(df)
    package = model_of(df.sparkSession, model, options)
    fed = FedFrame.of(df, feed, package.signature)
    kept = kept_columns(df.columns, _resolved(keep, df.columns, fed.case_sensitive))

    def bound(fed: FedFrame) -> Binding:
        return bind(
            package.signature,
            columns_of(fed.frame.schema),
            feed=fed.feed,
            fetch=fetch,
            narrow=narrow,
            strings=strings,
            on_null=options.get("on_null", "null"),
            batch_size=options.get("batch_size"),
            taken=kept,
            case_sensitive=fed.case_sensitive,
            terms=terms,
        )

    binding = bound(fed)
    binding.log()
    kept_at = list(range(len(kept))) if keep is None else [df.columns.index(one) for one in kept]
    _check_kept(df.schema, kept_at, None if keep is None else kept, terms)
    if options.get("engine") == "jvm":
        frame = predict_in_jvm(
            fed.frame, package, binding, kept_at, options, narrow=narrow, strings=strings
        )
        return ScoredFrame(frame, binding)
    if options.get("on_null", "null") == "null" and (
        stacks := _stacks(binding, fed.frame.schema, kept)
    ):
        fed = fed.with_columns(stacks)
        binding = bound(fed)
    return ScoredFrame(_in_python(fed.frame, kept_at, package, binding, options), binding)


def _in_python(
    wide: DataFrame,
    kept_at: Sequence[int],
    package: ModelPackage,
    binding: Binding,
    options: ScoreOptions,
) -> DataFrame:
    """Return the kept columns and the predictions of a frame, scored by Python workers."""
    check_pandas("mapInArrow")
    handle = handle_of(wide.sparkSession, package, options)
    check_stream(wide, handle.source)
    fed_at = [wide.columns.index(name) for name in binding.columns]
    passed = list(dict.fromkeys([*kept_at, *fed_at]))
    # Spark 4.3 looks the columns of mapInArrow up by name and trips over dots, backticks, stars and
    # equal names: columns pass under numbers, and have names that are not equal in the task.
    named = [
        wide.columns[at] if wide.columns.count(wide.columns[at]) == 1 else f"column {at}"
        for at in passed
    ]
    score = PartitionScorer(
        handle,
        binding,
        named[: len(kept_at)],
        options.get("batch_size"),
    )

    def score_partition(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for scored in score(_renamed(batch, named) for batch in batches):
            yield _renamed(scored, _numbers(scored.num_columns))

    result = output_schema(StructType([wide.schema[at] for at in kept_at]), binding)
    numbered = wide.toDF(*_numbers(len(wide.columns))).select([f"c{at}" for at in passed])
    return numbered.mapInArrow(score_partition, _numbered(result)).toDF(*result.names)


def _resolved(
    keep: Sequence[str] | None, columns: Sequence[str], case_sensitive: bool
) -> list[str] | None:
    if keep is None:
        return None
    return [resolve(name, columns, case_sensitive=case_sensitive) or name for name in keep]


def _check_frame(df: object) -> None:
    if not hasattr(df, "mapInArrow"):
        found = f"{type(df).__module__}.{type(df).__name__}"
        hint = "make one by spark.createDataFrame(…); an RDD is scored by predict_rdd."
        problem = "Only a Spark DataFrame can be scored by predict."
        raise UsageError(explain(problem, expected="pyspark.sql.DataFrame", found=found, hint=hint))


def _stacks(binding: Binding, schema: StructType, kept: Sequence[str]) -> dict[str, Column]:
    """Return the inputs of many scalar columns, none of them kept or cast, as arrays in Spark."""
    if len({name.lower() for name in schema.names}) < len(schema.names):
        return {}  # Spark does not tell such columns apart by name
    return {
        one.spec.name: sf.array(*(sf.col(quoted(name)) for name in one.columns))
        for one in binding.inputs
        if len(one.columns) >= MANY
        and not set(one.columns) & set(kept)
        and all(
            schema[name].dataType.simpleString() == by_name(one.spec.dtype).sql
            for name in one.columns
        )
    }


def _check_kept(
    schema: StructType, kept_at: Sequence[int], keep: Sequence[str] | None, terms: Terms
) -> None:
    """Refuse columns that are kept by an ambiguous name, or that cannot pass through Python."""
    problems = [
        f"there are {schema.names.count(name)} columns {name!r}"
        for name in keep or ()
        if schema.names.count(name) > 1
    ]
    problems += [
        f"column {field.name!r} is {field.dataType.simpleString()}, which Spark cannot pass to "
        "Python"
        for field in (schema[at] for at in kept_at)
        if not passes(field.dataType)
    ]
    if problems:
        raise BindingError(
            explain_all(
                "Columns cannot stand beside the predictions",
                problems,
                hint=f"leave them out with {terms.keep}, cast or rename them; or score by "
                "predict_udf, which leaves all other columns where they are.",
            )
        )


def _renamed(batch: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(batch.columns, names=list(names))


def _numbers(count: int) -> list[str]:
    return [f"c{at}" for at in range(count)]


def _numbered(schema: StructType) -> StructType:
    numbered = zip(_numbers(len(schema)), schema, strict=True)
    return StructType(
        [StructField(name, one.dataType, one.nullable, one.metadata) for name, one in numbered]
    )
