"""`engine="jvm"`: scoring by the Scala bridge, which runs the model inside the executors' JVM.

In comes a binding that was checked as for every engine, out goes a DataFrame (or a column function)
with the bridge's operator in it. Driver only: there is no Python worker. A classic session calls
the bridge's library, to which a program may name any path; a Connect session sends SQL, for which
the server's operator says what may be called and how.

Invariant: the jar is asked for first, and its absence is an error with the next step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sf

from tfspark.errors import BindingError, EngineError, UsageError, explain
from tfspark.feeding import InputBinding
from tfspark.fetching import Strings
from tfspark.package import ModelPackage
from tfspark.schema import Binding
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
    fetch: Mapping[str, str] | None = None,
    narrow: bool = False,
    strings: Strings = "string",
    labels: Sequence[str] = (),
) -> Call:
    """Return the bridge's function of a model: columns in the signature's order → its outputs.

    It gives what is fetched: one output as it is, several as a struct of the columns they become.

    Raises:
        EngineError: When the bridge is not in the session.
        UsageError: When an option is one that the bridge does not take, or takes from settings.
    """
    _check_options(options)
    if is_classic(spark):
        meaning = (package.signature.name, fetch, narrow, strings, labels, options)
        name = f"{FUNCTION}_{package.digest[:16]}_{sha256(repr(meaning).encode()).hexdigest()[:16]}"
        register_in_jvm(
            spark,
            name,
            package,
            options,
            fetch=fetch,
            narrow=narrow,
            strings=strings,
            labels=labels,
        )
        return lambda *columns: sf.call_function(name, *columns)
    _check_settings(spark, options, narrow, strings)
    model = (sf.lit(package.path), sf.lit(package.signature.name))
    return _fetching(package, fetch, lambda *columns: sf.call_function(FUNCTION, *model, *columns))


def register_in_jvm(
    spark: SparkSession,
    name: str,
    package: ModelPackage,
    options: ScoreOptions,
    *,
    fetch: Mapping[str, str] | None = None,
    narrow: bool = False,
    strings: Strings = "string",
    labels: Sequence[str] = (),
) -> None:
    """Register a model as a SQL function that the bridge evaluates.

    Args:
        spark: The session.
        name: Name in SQL.
        package: The model.
        options: Of the scoring.
        fetch: Output → field of the result; left out, every output under its own name.
        narrow: Allow narrowing, each value checked.
        strings: Spark type of string outputs.
        labels: What errors of rows call the arguments; left out, their positions.

    Raises:
        EngineError: When the bridge is not in the session.
        UsageError: When an option is one that the bridge does not take, or takes from settings.
        BindingError: When a Connect server refuses the model; its message says why.
    """
    _check_options(options)
    if not is_classic(spark):
        _check_settings(spark, options, narrow, strings)
        if fetch:
            hint = "leave it out, and name the outputs in the query."
            raise UsageError(explain("On Connect a model of the JVM takes no fetch.", hint=hint))
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
    fetched = [context._jvm.scala.Tuple2(*pair) for pair in (fetch or {}).items()]
    sequence = context._jvm.org.apache.spark.api.python.PythonUtils.toSeq
    library.TfSpark.register(
        spark._jsparkSession,
        name,
        package.path,
        sequence(fetched),
        given,
        sequence(list(labels)),
    )


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


def _fetching(package: ModelPackage, fetch: Mapping[str, str] | None, call: Call) -> Call:
    """Return a call that gives what is fetched, of one that gives every output."""
    if fetch is None:
        return call

    def fetched(*columns: Column) -> Column:
        every = call(*columns)
        several = len(package.signature.outputs) > 1
        outputs = [every[output] if several else every for output in fetch]
        named = [one.alias(column) for one, column in zip(outputs, fetch.values(), strict=True)]
        return named[0] if len(named) == 1 else sf.struct(*named)

    return fetched


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
        narrow: Allow narrowing, each value checked.
        strings: Spark type of string outputs.

    Raises:
        EngineError: When the bridge is not in the session.
        BindingError: When the bridge refuses the call; its message says why.
        UsageError: When an option is one that the bridge does not take, or takes from settings.
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
    columns = [sf.col(positions[name]) for name in one.columns]
    return [sf.array(*columns)] if one.is_stacked and len(binding.inputs) > 1 else columns


def _labels(one: InputBinding, binding: Binding) -> Sequence[str]:
    """Return what errors call the arguments of an input; stacks of vectors are taken apart."""
    is_vector = len(one.spec.row_shape or ()) == 1
    return one.columns if is_vector or len(binding.inputs) == 1 else one.columns[:1]


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
