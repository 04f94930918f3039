"""`engine="jvm"`: scoring by the Scala bridge, which runs the model inside the executors' JVM.

In comes a binding that was checked as for every engine, out goes a DataFrame (or a column function)
with the bridge's operator in it. Driver only: there is no Python worker. A classic session calls
the bridge's library, to which a program may name any path; a Connect session sends SQL, for which
the server's operator says what may be called and how.

Invariant: the jar is asked for first, and its absence is an error with the next step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sf

from tfspark.errors import BindingError, EngineError, UsageError, explain
from tfspark.package import ModelPackage
from tfspark.schema import Binding, InputBinding, Strings
from tfspark.spark.distribution import is_classic
from tfspark.spark.options import ScoreOptions

FUNCTION = "tf_predict"
COORDINATE = "io.tfspark:tfspark-bridge_2.13"

Call = Callable[..., Column]


def function_in_jvm(
    spark: SparkSession,
    package: ModelPackage,
    options: ScoreOptions,
    *,
    narrow: bool = False,
    strings: Strings = "string",
) -> Call:
    """Return the bridge's function of a model: columns in the signature's order → its outputs.

    Raises:
        EngineError: When the bridge is not in the session.
        UsageError: When an option is one that the bridge does not take, or takes from settings.
    """
    _check_options(options)
    if is_classic(spark):
        name = f"{FUNCTION}_{package.digest[:16]}_{package.signature.name}"
        name += f"_{narrow:d}_{strings}_{options.get('batch_size') or 0}"
        register_in_jvm(spark, name, package, options, narrow=narrow, strings=strings)
        return lambda *columns: sf.call_function(name, *columns)
    _check_settings(spark, options, narrow, strings)
    model = (sf.lit(package.path), sf.lit(package.signature.name))
    return lambda *columns: sf.call_function(FUNCTION, *model, *columns)


def register_in_jvm(
    spark: SparkSession,
    name: str,
    package: ModelPackage,
    options: ScoreOptions,
    *,
    narrow: bool = False,
    strings: Strings = "string",
) -> None:
    """Register a model as a SQL function that the bridge evaluates.

    Raises:
        EngineError: When the bridge is not in the session.
        UsageError: When an option is one that the bridge does not take, or takes from settings.
        BindingError: When a Connect server refuses the model; its message says why.
    """
    _check_options(options)
    if not is_classic(spark):
        _check_settings(spark, options, narrow, strings)
        _register_by_sql(spark, name, package)
        return
    context: Any = spark.sparkContext
    library = context._jvm.io.tfspark
    if type(library.TfSpark).__name__ == "JavaPackage":  # what py4j gives for no class
        raise _absent()
    option = context._jvm.scala.Option
    given = library.ScoreOptions(
        option.empty(),  # the path is that of one version
        package.signature.name,
        option.apply(options.get("batch_size")),
        narrow,
        strings == "binary",
    )
    everything = getattr(library.TfSpark, "register$default$4")()
    session = spark._jsparkSession
    library.TfSpark.register(session, name, package.path, everything, given)


def _register_by_sql(spark: SparkSession, name: str, package: ModelPackage) -> None:
    if not spark.catalog.functionExists(FUNCTION):
        raise _absent()
    quoted_name = name.replace("`", "``")
    kind, path = (
        text.replace("\\", "\\\\").replace("'", "\\'")
        for text in (f"{FUNCTION}:{package.signature.name}", package.path)
    )
    statement = f"FUNCTION `{quoted_name}` AS '{kind}' USING FILE '{path}'"
    try:
        spark.sql(f"CREATE OR REPLACE TEMPORARY {statement}")
    except AnalysisException as error:
        raise _refusal(error) from error


def outputs_of(package: ModelPackage, result: Column, fetch: Mapping[str, str]) -> list[Column]:
    """Return the fetched outputs out of what a call gives: a column, or a struct of several."""
    several = len(package.signature.outputs) > 1
    return [
        (result[output] if several else result).alias(column) for output, column in fetch.items()
    ]


def predict_in_jvm(
    df: DataFrame, package: ModelPackage, binding: Binding, kept: Sequence[int], call: Call
) -> DataFrame:
    """Return some columns of a DataFrame and the predictions of the others.

    Args:
        df: With all that is fed; columns are taken by position, as their names may be equal.
        package: The model.
        binding: Which columns feed, which outputs come back.
        kept: Positions of the columns that come first.
        call: What `function_in_jvm` returned.

    Raises:
        EngineError: When the bridge is not in the session.
        BindingError: When the bridge refuses the call; its message says why.
    """
    positions = {name: f"c{position}" for position, name in enumerate(df.columns)}
    numbered = df.toDF(*(f"c{position}" for position in range(len(df.columns))))
    arguments = [column for one in binding.inputs for column in _arguments(one, positions, binding)]
    first = [f"c{position}" for position in kept]
    fetch = {one.spec.name: one.column for one in binding.outputs}
    try:
        scored = numbered.select(*first, call(*arguments).alias("scored"))
        result = scored.select(*first, *outputs_of(package, sf.col("scored"), fetch))
        result = result.toDF(*(df.columns[position] for position in kept), *fetch.values())
        _ = result.schema  # Connect looks at the plan only when it is asked
    except AnalysisException as error:
        raise _refusal(error) from error
    return result


def _arguments(one: InputBinding, positions: dict[str, str], binding: Binding) -> list[Column]:
    columns = [sf.col(positions[name]) for name in one.columns]
    return [sf.array(*columns)] if one.is_stacked and len(binding.inputs) > 1 else columns


def _check_options(options: ScoreOptions) -> None:
    if options.get("on_null", "null") != "null":
        hint = "use coalesce in the query, or another engine."
        raise UsageError(explain('engine="jvm" gives null for null only.', hint=hint))
    if tuple(options.get("tags", ("serve",))) != ("serve",):
        raise UsageError(explain('engine="jvm" loads the tag set "serve" only.'))


def _check_settings(
    spark: SparkSession, options: ScoreOptions, narrow: bool, strings: Strings
) -> None:
    """Refuse options that a server takes from the session's settings."""
    for setting, wanted, default in (
        ("spark.tfspark.narrow", str(narrow).lower(), "false"),
        ("spark.tfspark.strings", strings, "string"),
        ("spark.tfspark.batchSize", str(options.get("batch_size") or ""), ""),
    ):
        found = spark.conf.get(setting, default)
        if wanted not in (found, default):
            problem = 'With engine="jvm" on Connect this is a setting, not an option.'
            hint = f'spark.conf.set("{setting}", "{wanted}")'
            raise UsageError(
                explain(problem, expected=wanted, found=f"{setting} {found}", hint=hint)
            )


def _refusal(error: AnalysisException) -> BindingError | EngineError:
    if error.getCondition() == "UNRESOLVED_ROUTINE":
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
