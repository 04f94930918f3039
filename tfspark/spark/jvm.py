"""Calls the Scala bridge, which runs a model inside the executors' JVM. Driver.

A classic session calls the bridge's library, and may use any path. A Connect session sends SQL, and
the server's settings decide which models may be called. In both cases, options are sent as text.

Invariant: a missing jar is detected first, and the error says how to add it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as sf

from tfspark.errors import BindingError, EngineError, explain
from tfspark.options import ScoreOptions
from tfspark.package import ModelPackage
from tfspark.signature import Signature
from tfspark.spark.cluster.failures import condition
from tfspark.spark.cluster.session_kind import is_classic

FUNCTION = "tf_predict"
COORDINATE = "io.tfspark:tfspark-bridge_2.13"

Call = Callable[..., Column]


def function_in_jvm(
    spark: SparkSession,
    package: ModelPackage,
    options: ScoreOptions,
    fetch: Mapping[str, str] | None,
    *,
    labels: Sequence[str] = (),
    terms: str = "python-sql",
) -> Call:
    """Return the bridge's function of a model: columns in the signature's order → its outputs.

    Args:
        spark: The session.
        package: The model.
        options: How to score.
        fetch: Output → field of the result; `None` for every output under its own name.
        labels: Names of the arguments in errors of rows; by default their positions.
        terms: Spelling of the hints in errors; see `Terms` of the bridge.

    Returns:
        A function that returns a single output as a column; several outputs, or outputs and a
        reason, as a struct.

    Raises:
        EngineError: When the session does not have the bridge.
    """
    texts = {**_texts(package, options, fetch), "terms": terms, "in_order": "true"}
    if labels:
        texts["labels"] = json.dumps(list(labels))
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
    fetch: Mapping[str, str] | None,
) -> None:
    """Register a model as a SQL function that the bridge evaluates.

    Args:
        spark: The session.
        name: Name in SQL.
        package: The model.
        options: How to score.
        fetch: Output → field of the result; `None` for every output under its own name.

    Raises:
        EngineError: When the session does not have the bridge.
        BindingError: When a Connect server refuses the model; its message says why.
    """
    texts = {**_texts(package, options, fetch), "terms": "python-sql"}
    if is_classic(spark):
        _register(spark, name, package, texts)
    else:
        _register_by_sql(spark, name, package, texts)


def _texts(
    package: ModelPackage, options: ScoreOptions, fetch: Mapping[str, str] | None
) -> dict[str, str]:
    """Return the options as text, in the format of the bridge's `OptionTexts`."""
    texts = {
        "signature": package.signature.name,
        "tags": ",".join(package.tags),
        "output_shapes": json.dumps(_output_shapes(package.signature)),
        "on_null": json.dumps(options.on_null, default=_for_json).strip('"'),
        "narrow": str(options.narrow).lower(),
        "strings": options.strings,
        "on_error": options.on_error,
        "sha256": package.digest,
    }
    if options.batch_size:
        texts["batch_size"] = str(options.batch_size)
    if options.reason is not None:
        texts["reason"] = options.reason
    if fetch is not None:
        texts["fetch"] = json.dumps(dict(fetch))
    return texts


def _output_shapes(signature: Signature) -> dict[str, Sequence[int | None]]:
    """Return the known row shapes, from the model or from the caller."""
    lead = 0 if signature.is_row_by_row else 1
    return {
        spec.name: spec.shape[lead:]
        for spec in signature.outputs
        if spec.shape is not None and len(spec.shape) >= lead
    }


def _for_json(fill: Any) -> Any:
    """Return a fill for JSON: NumPy numbers and decimals as plain numbers, bytes as base64."""
    if isinstance(fill, bytes):
        return {"base64": b64encode(fill).decode()}
    if isinstance(fill, Decimal):
        return int(fill) if fill == fill.to_integral_value() else float(fill)
    return fill.item()


def _register(
    spark: SparkSession, name: str, package: ModelPackage, texts: Mapping[str, str]
) -> None:
    context: Any = spark.sparkContext
    library = context._jvm.io.tfspark
    if type(library.TfSpark).__name__ == "JavaPackage":  # py4j returns this for an unknown class
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
        raise refusal(error) from error


def refusal(error: AnalysisException) -> BindingError | EngineError:
    """Return the error of a call that the bridge refuses, or that needs a missing bridge."""
    if condition(error) == "UNRESOLVED_ROUTINE":
        return _absent()
    return BindingError(str(error).partition(";\n")[0])


def _absent() -> EngineError:
    return EngineError(
        explain(
            'engine="jvm" needs the Scala bridge on the driver.',
            expected=f"its jar, made by `make bridge`, or {COORDINATE}",
            hint="start Spark, or the Connect server, with --jars or --packages and this jar.",
        )
    )
