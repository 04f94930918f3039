"""`predict`: score a DataFrame by mapInArrow. Driver; what runs on executors is in `task`.

In comes a DataFrame and a model, out goes a DataFrame with the prediction columns beside the kept
ones. Lazy, as every DataFrame; what can be wrong about names and types is raised at the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.types import StructField, StructType

from tfspark.dtypes import by_name
from tfspark.errors import BindingError, UsageError, explain, explain_all
from tfspark.schema import Binding, Strings, bind, kept_columns
from tfspark.spark.jvm import predict_in_jvm
from tfspark.spark.options import Model, ScoreOptions, check_columns, handle_of, model_of
from tfspark.spark.task import PartitionScorer
from tfspark.spark.types import columns_of, output_schema, passes

if TYPE_CHECKING:
    from typing_extensions import Unpack

# Spark writes a batch column by column; so many scalars of one input cost more than one array.
MANY = 16

FeedValue: TypeAlias = str | Column | Sequence[str | Column]


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
        feed: Input → column name, Column expression, or list of such scalars to stack. An input
            left out takes the column of its own name; a single input the single fitting column.
        fetch: Output → new column. Left out: all outputs, under their own names.
        keep: Columns to pass on beside the predictions; by default all, in order.
        narrow: Allow conversions that may lose a value's precision (double → float); a value out of
            range is then an error that names its row.
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
    check_columns(feed=feed, fetch=fetch, keep=keep, strings=strings)
    _check_frame(df)
    spark = df.sparkSession
    package = model_of(spark, model, options)
    kept = kept_columns(df.columns, keep)
    fed, expressions = _split(feed or {}, df.columns)
    wide = df.select("*", *expressions)
    on_null = options.get("on_null", "null")

    def bound() -> Binding:
        return bind(
            package.signature,
            columns_of(wide.schema),
            feed=fed,
            fetch=fetch,
            narrow=narrow,
            strings=strings,
            on_null=on_null,
            taken=kept,
        )

    binding = bound()
    kept_at = list(range(len(kept))) if keep is None else [df.columns.index(one) for one in kept]
    _check_kept(df.schema, kept_at, None if keep is None else kept)
    if options.get("engine") == "jvm":
        return predict_in_jvm(
            wide, package, binding, kept_at, options, narrow=narrow, strings=strings
        )
    if on_null == "null" and (stacks := _stacks(binding, wide.schema, kept)):
        stacked, expressions = _split(stacks, wide.columns)
        fed, wide = {**fed, **stacked}, wide.select("*", *expressions)
        binding = bound()
    fed_at = [wide.columns.index(one) for one in binding.columns]
    passed = list(dict.fromkeys([*kept_at, *fed_at]))
    # Spark 4.3 looks the columns of mapInArrow up by name and trips over dots, backticks, stars and
    # equal names: columns pass under numbers, and those that are fed have their names in the task.
    named = [wide.columns[at] if at in fed_at else f"column {at}" for at in passed]
    score = PartitionScorer(
        handle_of(spark, package, options),
        binding,
        named[: len(kept_at)],
        options.get("batch_size"),
    )

    def score_partition(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for scored in score(_renamed(batch, named) for batch in batches):
            yield _renamed(scored, _numbers(scored.num_columns))

    result = output_schema(StructType([df.schema[at] for at in kept_at]), binding)
    numbered = wide.toDF(*_numbers(len(wide.columns))).select([f"c{at}" for at in passed])
    return numbered.mapInArrow(score_partition, _numbered(result)).toDF(*result.names)


def _check_frame(df: object) -> None:
    if not hasattr(df, "mapInArrow"):
        found = f"{type(df).__module__}.{type(df).__name__}"
        hint = "make one by spark.createDataFrame(…); an RDD is scored by predict_rdd."
        problem = "Only a Spark DataFrame can be scored by predict."
        raise UsageError(explain(problem, expected="pyspark.sql.DataFrame", found=found, hint=hint))


def _split(
    feed: Mapping[str, FeedValue], taken: Sequence[str]
) -> tuple[dict[str, str | Sequence[str]], list[Column]]:
    """Separate names from expressions; an expression becomes one more column."""
    expressions: list[Column] = []

    def name_of(value: str | Column) -> str:
        if isinstance(value, str):
            return value
        name = f"expression {len(expressions) + 1}"
        while name in taken:
            name += " of feed"
        expressions.append(value.alias(name))
        return name

    return {
        key: name_of(value) if isinstance(value, str | Column) else [name_of(one) for one in value]
        for key, value in feed.items()
    }, expressions


def _stacks(binding: Binding, schema: StructType, kept: Sequence[str]) -> dict[str, Column]:
    """Return the inputs of many scalar columns, none of them kept or cast, as arrays in Spark."""
    if len({name.lower() for name in schema.names}) < len(schema.names):
        return {}  # Spark does not tell such columns apart by name
    return {
        one.spec.name: sf.array(*(sf.col(f"`{name.replace('`', '``')}`") for name in one.columns))
        for one in binding.inputs
        if len(one.columns) >= MANY
        and not set(one.columns) & set(kept)
        and all(
            schema[name].dataType.simpleString() == by_name(one.spec.dtype).sql
            for name in one.columns
        )
    }


def _check_kept(schema: StructType, kept_at: Sequence[int], keep: Sequence[str] | None) -> None:
    """Refuse columns that are kept by an ambiguous name, or that cannot pass through Python."""
    problems = [
        f"there are {schema.names.count(name)} columns {name!r}"
        for name in keep or ()
        if schema.names.count(name) > 1
    ]
    problems += [
        f"column {field.name!r} is {field.dataType.simpleString()}, which Spark hands to no Python"
        for field in (schema[at] for at in kept_at)
        if not passes(field.dataType)
    ]
    if problems:
        raise BindingError(
            explain_all(
                "Columns cannot stand beside the predictions",
                problems,
                hint="leave them out with keep=[…], cast or rename them; or score by predict_udf, "
                "which leaves all other columns where they are.",
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
