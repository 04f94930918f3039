"""`engine="jvm"`: scoring by the Scala bridge, which runs the model inside the executors' JVM.

The result is a DataFrame, or a column function, with the bridge's operator in it. Driver only:
there is no Python worker. A classic session calls the bridge's library, to which a program may name
any path; a Connect session sends SQL, for which the server's operator says what may be called.
Options travel as texts, in both ways.

Invariant: the jar is asked for first, and its absence is an error with the next step.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sf

from tfspark.constants import Constant
from tfspark.dtypes import by_name
from tfspark.errors import BindingError, EngineError, explain
from tfspark.feeding import InputBinding
from tfspark.fetching import Strings
from tfspark.package import ModelPackage
from tfspark.schema import Binding
from tfspark.signature import Signature
from tfspark.spark.cluster.distribution import is_classic
from tfspark.spark.cluster.failures import condition
from tfspark.spark.options import ScoreOptions

FUNCTION = "tf_predict"
COORDINATE = "io.tfspark:tfspark-bridge_2.13"

Call = Callable[..., Column]


def function_in_jvm(
    spark: SparkSession,
    package: ModelPackage,
    options: ScoreOptions,
    *,
    fetch: Mapping[str, str] | None = None,
    narrow: bool = False,
    strings: Strings = "string",
    labels: Sequence[str] = (),
    terms: str = "python-sql",
) -> Call:
    """Return the bridge's function of a model: columns in the signature's order → its outputs.

    Args:
        spark: The session.
        package: The model.
        options: Of the scoring.
        fetch: Output → field of the result; left out, every output under its own name.
        narrow: Allow to feed numbers that may have fractions to an integer input.
        strings: Spark type of string outputs.
        labels: What errors of rows call the arguments; left out, their positions.
        terms: Whose words the hints of errors are in; see `Terms` of the bridge.

    Returns:
        A function that gives one output as it is, several as a struct of the columns they become.

    Raises:
        EngineError: When the bridge is not in the session.
    """
    texts = _texts(
        package,
        options,
        fetch=fetch,
        narrow=narrow,
        strings=strings,
        labels=labels,
        terms=terms,
        in_order="true",
    )
    if is_classic(spark):
        meaning = repr((package.path, sorted(texts.items())))
        name = f"{FUNCTION}_{package.digest[:16]}_{sha256(meaning.encode()).hexdigest()[:16]}"
        _register(spark, name, package, texts)
        return lambda *columns: sf.call_function(name, *columns)
    given = sf.create_map(*(sf.lit(text) for pair in texts.items() for text in pair))
    return lambda *columns: sf.call_function(FUNCTION, sf.lit(package.path), given, *columns)


def register_in_jvm(
    spark: SparkSession,
    name: str,
    package: ModelPackage,
    options: ScoreOptions,
    *,
    fetch: Mapping[str, str] | None = None,
    narrow: bool = False,
    strings: Strings = "string",
) -> None:
    """Register a model as a SQL function that the bridge evaluates.

    Args:
        spark: The session.
        name: Name in SQL.
        package: The model.
        options: Of the scoring.
        fetch: Output → field of the result; left out, every output under its own name.
        narrow: Allow to feed numbers that may have fractions to an integer input.
        strings: Spark type of string outputs.

    Raises:
        EngineError: When the bridge is not in the session.
        BindingError: When a Connect server refuses the model; its message says why.
    """
    texts = _texts(package, options, fetch=fetch, narrow=narrow, strings=strings)
    if is_classic(spark):
        _register(spark, name, package, texts)
    else:
        _register_by_sql(spark, name, package, texts)


def _texts(
    package: ModelPackage,
    options: ScoreOptions,
    *,
    fetch: Mapping[str, str] | None,
    narrow: bool,
    strings: Strings,
    labels: Sequence[str] = (),
    terms: str = "python-sql",
    **hidden: str,
) -> dict[str, str]:
    """Return the options as the bridge reads them, each a text; see its `OptionTexts`."""
    texts = {
        "signature": package.signature.name,
        "tags": ",".join(package.tags),
        "output_shapes": json.dumps(_output_shapes(package.signature)),
        "on_null": json.dumps(options.get("on_null", "null"), default=_base64).strip('"'),
        "narrow": str(narrow).lower(),
        "strings": strings,
        "sha256": package.digest,
        "terms": terms,
        **hidden,
    }
    if rows := options.get("batch_size"):
        texts["batch_size"] = str(rows)
    if fetch is not None:
        texts["fetch"] = json.dumps(dict(fetch))
    if labels:
        texts["labels"] = json.dumps(list(labels))
    return texts


def _output_shapes(signature: Signature) -> dict[str, Sequence[int | None]]:
    """Return the row shapes that are known, some of which the caller may have given."""
    lead = 0 if signature.is_row_by_row else 1
    return {
        spec.name: spec.shape[lead:]
        for spec in signature.outputs
        if spec.shape is not None and len(spec.shape) >= lead
    }


def _base64(fill: Any) -> Any:
    """Return what JSON can hold of a fill: NumPy's numbers as Python's, bytes as base64."""
    if isinstance(fill, bytes):
        return {"base64": b64encode(fill).decode()}
    return fill.item()


def _register(
    spark: SparkSession, name: str, package: ModelPackage, texts: Mapping[str, str]
) -> None:
    context: Any = spark.sparkContext
    library = context._jvm.io.tfspark
    if type(library.TfSpark).__name__ == "JavaPackage":  # what py4j gives for no class
        raise _absent()
    allowed = {"allow_ops": ",".join(package.allowed)} if package.allowed else {}
    library.TfSpark.registerAs(spark._jsparkSession, name, package.path, {**texts, **allowed})


def _register_by_sql(
    spark: SparkSession, name: str, package: ModelPackage, texts: Mapping[str, str]
) -> None:
    if not spark.catalog.functionExists(FUNCTION):
        raise _absent()
    quoted_name = name.replace("`", "``")
    kind, path = (
        text.replace("\\", "\\\\").replace("'", "\\'")
        for text in (f"{FUNCTION}:{json.dumps(texts)}", package.path)
    )
    statement = f"FUNCTION `{quoted_name}` AS '{kind}' USING FILE '{path}'"
    try:
        spark.sql(f"CREATE OR REPLACE TEMPORARY {statement}")
    except AnalysisException as error:
        raise _refusal(error) from error


def predict_in_jvm(
    df: DataFrame,
    package: ModelPackage,
    binding: Binding,
    kept: Sequence[int],
    options: ScoreOptions,
    *,
    narrow: bool = False,
    strings: Strings = "string",
) -> DataFrame:
    """Return some columns of a DataFrame and the predictions of the others.

    Args:
        df: With all that is fed; columns are taken by position, as their names may be equal.
        package: The model.
        binding: Which columns feed, which outputs come back.
        kept: Positions of the columns that come first.
        options: Of the scoring.
        narrow: Allow to feed numbers that may have fractions to an integer input.
        strings: Spark type of string outputs.

    Raises:
        EngineError: When the bridge is not in the session.
        BindingError: When the bridge refuses the call; its message says why.
    """
    fetch = {one.spec.name: one.column for one in binding.outputs}
    labels = [name for one in binding.inputs for name in _labels(one, binding)]
    call = function_in_jvm(
        df.sparkSession,
        package,
        options,
        fetch=fetch,
        narrow=narrow,
        strings=strings,
        labels=labels,
        terms="python",
    )
    positions = {name: f"c{position}" for position, name in enumerate(df.columns)}
    numbered = df.toDF(*(f"c{position}" for position in range(len(df.columns))))
    arguments = [column for one in binding.inputs for column in _arguments(one, positions, binding)]
    first = [f"c{position}" for position in kept]
    scores = sf.col("scored")
    outputs = [scores[name] for name in fetch.values()] if len(fetch) > 1 else [scores]
    try:
        scored = numbered.select(*first, call(*arguments).alias("scored"))
        result = scored.select(*first, *outputs)
        result = result.toDF(*(df.columns[position] for position in kept), *fetch.values())
        _ = result.schema  # Connect looks at the plan only when it is asked
    except AnalysisException as error:
        raise _refusal(error) from error
    return result


def _arguments(one: InputBinding, positions: dict[str, str], binding: Binding) -> list[Column]:
    if one.constant is not None:
        return [_constant(one, one.constant)]
    columns = [sf.col(positions[name]) for name in one.columns]
    return [sf.array(*columns)] if one.is_stacked and len(binding.inputs) > 1 else columns


def _constant(one: InputBinding, constant: Constant) -> Column:
    """Return a constant as a column of literals, repeated to the shape of a row."""
    value = constant.array(by_name(one.spec.dtype))
    row = one.spec.row_shape or ()
    if value.shape == () and None not in row:
        value = np.broadcast_to(value, tuple(size or 0 for size in row))
    return _literal(value.tolist())


def _literal(value: Any) -> Column:
    if isinstance(value, list):
        return sf.array(*map(_literal, value))
    return sf.lit(bytearray(value) if isinstance(value, bytes) else value)


def _labels(one: InputBinding, binding: Binding) -> Sequence[str]:
    """Return what errors call the arguments of an input; stacks of vectors are taken apart."""
    if one.constant is not None:
        return [one.spec.name]
    is_vector = len(one.spec.row_shape or ()) == 1
    return one.columns if is_vector or len(binding.inputs) == 1 else one.columns[:1]


def _refusal(error: AnalysisException) -> BindingError | EngineError:
    if condition(error) == "UNRESOLVED_ROUTINE":
        return _absent()
    return BindingError(str(error).partition(";\n")[0])


def _absent() -> EngineError:
    return EngineError(
        explain(
            'engine="jvm" needs the Scala bridge on the driver.',
            expected=f"its jar, made by `make bridge`, or {COORDINATE}",
            hint="start Spark with --jars or --packages and it; a Connect server likewise.",
        )
    )
