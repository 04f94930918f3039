"""`predict`: score a DataFrame by mapInArrow. Driver; what runs on executors is in `task`.

In comes a DataFrame and a model, out goes a DataFrame with the prediction columns beside the kept
ones. Lazy, as every DataFrame; what can be wrong about names and types is raised at the call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.types import StructType

from tfspark.errors import BindingError, explain, listing
from tfspark.schema import Strings, bind, kept_columns
from tfspark.spark.counting import quoted
from tfspark.spark.options import Model, ScoreOptions, handle_of, model_of
from tfspark.spark.task import PartitionScorer
from tfspark.spark.types import columns_of, output_schema

if TYPE_CHECKING:
    from typing_extensions import Unpack

FeedValue: TypeAlias = str | Column | Sequence[str]


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
        feed: Input → column name, list of scalar columns to stack, or Column expression. An input
            left out takes the column of its own name; a single input the single fitting column.
        fetch: Output → new column. Left out: all outputs, under their own names.
        keep: Columns to pass on beside the predictions; by default all, in order.
        narrow: Allow conversions that may lose a value's precision (double → float); a value out of
            range is then an error that names its row.
        strings: Spark type of string outputs: `string` or `binary`.
        options: See `ScoreOptions`.

    Returns:
        The kept columns, then one column per output. Row order inside a partition is kept. A row
        with a null in an input, at any depth, gives null outputs.

    Raises:
        ModelNotFoundError: No model, or no such version, at the path.
        InvalidModelError: The model is broken or incomplete.
        SignatureNotFoundError: No such signature.
        BindingError: Inputs, outputs and columns do not fit; all mismatches in one message.

    Example:
        >>> predict(df, "models/linear_model", feed={"inputs": "features"})  # doctest: +SKIP
    """
    spark = df.sparkSession
    package = model_of(spark, model, options)
    kept = kept_columns(df.columns, keep)
    names, expressions = _split(feed or {})
    wide = df.withColumns(expressions)
    binding = bind(
        package.signature,
        columns_of(wide.schema),
        feed=names,
        fetch=fetch,
        narrow=narrow,
        strings=strings,
        taken=kept,
    )
    needed = list(dict.fromkeys([*kept, *binding.columns]))
    _refuse_duplicates(wide.columns, needed)
    pruned = wide.select([sf.col(quoted(name)) for name in needed])
    score = PartitionScorer(
        handle_of(spark, package, options), binding, kept, options.get("batch_size")
    )

    def score_partition(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return score(batches)

    kept_schema = StructType([field for field in pruned.schema if field.name in set(kept)])
    return pruned.mapInArrow(score_partition, output_schema(kept_schema, binding))


def _split(
    feed: Mapping[str, FeedValue],
) -> tuple[dict[str, str | Sequence[str]], dict[str, Column]]:
    """Separate names from expressions; an expression becomes a helper column of a name of ours."""
    names: dict[str, str | Sequence[str]] = {}
    expressions: dict[str, Column] = {}
    for name, value in feed.items():
        if isinstance(value, Column):
            names[name] = f"__tfspark_{len(expressions)}"
            expressions[f"__tfspark_{len(expressions)}"] = value
        else:
            names[name] = value
    return names, expressions


def _refuse_duplicates(columns: Sequence[str], needed: Sequence[str]) -> None:
    twice = [name for name, count in Counter(columns).items() if count > 1 and name in needed]
    if twice:
        raise BindingError(
            explain(
                "Column names are not unique.",
                found=listing(twice),
                hint="rename or drop one of them, or leave them out with keep=[…].",
            )
        )
