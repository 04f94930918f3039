"""`engine="jvm"`: scoring by the Scala bridge, which runs the model inside the executors' JVM.

In comes a binding that was checked as for every engine, out goes a DataFrame with the bridge's SQL
function `tf_predict` in it. Driver only: there is no Python worker. It is SQL alone, so it works on
Spark Connect too.

What the bridge takes from settings (which models may be called, narrowing, the type of strings, the
batch size) is no option here; the refusal names the setting.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sf

from tfspark.errors import BindingError, EngineError, UsageError, explain
from tfspark.package import ModelPackage
from tfspark.schema import Binding, InputBinding, Strings
from tfspark.spark.options import ScoreOptions

FUNCTION = "tf_predict"
COORDINATE = "io.tfspark:tfspark-bridge_2.13"


def check_options(
    spark: SparkSession, options: ScoreOptions, *, narrow: bool = False, strings: Strings = "string"
) -> None:
    """Refuse options that the bridge takes from the session, or not at all.

    Raises:
        UsageError: With the setting that says the same, where there is one.
    """
    rows = options.get("batch_size")
    for setting, wanted, default in (
        ("spark.tfspark.narrow", str(narrow).lower(), "false"),
        ("spark.tfspark.strings", strings, "string"),
        ("spark.tfspark.batchSize", str(rows or ""), ""),
    ):
        found = spark.conf.get(setting, default)
        if wanted not in (found, default):
            problem = 'With engine="jvm" this is a setting of the session, not an option.'
            hint = f'spark.conf.set("{setting}", "{wanted}")'
            raise UsageError(
                explain(problem, expected=wanted, found=f"{setting} {found}", hint=hint)
            )
    if options.get("on_null", "null") != "null":
        hint = "use coalesce in the query, or another engine."
        raise UsageError(explain('engine="jvm" gives null for null only.', hint=hint))
    if tuple(options.get("tags", ("serve",))) != ("serve",):
        raise UsageError(explain("engine=\"jvm\" loads the tag set ('serve',) only."))


def predict_in_jvm(
    df: DataFrame,
    package: ModelPackage,
    binding: Binding,
    kept: Sequence[int],
    names: Sequence[str],
) -> DataFrame:
    """Return some columns of a DataFrame and the predictions of the others.

    Args:
        df: With all that is fed; columns are taken by position, as their names may be equal.
        package: The model.
        binding: Which columns feed, which outputs come back.
        kept: Positions of the columns that come first.
        names: Names of all columns of the result.

    Raises:
        EngineError: When the bridge is not in the session.
        BindingError: When the bridge refuses the call; its message says why.
    """
    positions = {name: f"c{position}" for position, name in enumerate(df.columns)}
    numbered = df.toDF(*(f"c{position}" for position in range(len(df.columns))))
    arguments = [column for one in binding.inputs for column in _arguments(one, positions, binding)]
    model = (sf.lit(package.path), sf.lit(package.signature.name))
    outputs = package.signature.outputs
    call = sf.call_function(FUNCTION, *model, *arguments)
    try:
        scored = numbered.select(*(f"c{position}" for position in kept), call.alias("scored"))
        several = len(outputs) > 1
        predictions = [
            sf.col("scored")[one.spec.name] if several else sf.col("scored")
            for one in binding.outputs
        ]
        result = scored.select(*(f"c{position}" for position in kept), *predictions).toDF(*names)
        _ = result.schema  # Connect looks at the plan only when it is asked
    except AnalysisException as error:
        raise _refusal(error) from error
    return result


def _arguments(one: InputBinding, positions: dict[str, str], binding: Binding) -> list[Column]:
    columns = [sf.col(positions[name]) for name in one.columns]
    return [sf.array(*columns)] if one.is_stacked and len(binding.inputs) > 1 else columns


def _refusal(error: AnalysisException) -> BindingError | EngineError:
    if error.getCondition() == "UNRESOLVED_ROUTINE":
        return EngineError(
            explain(
                'engine="jvm" needs the Scala bridge on the driver.',
                expected=f"its jar, made by `make bridge`, or {COORDINATE}",
                hint="start Spark with --jars or --packages and it; a Connect server likewise.",
            )
        )
    return BindingError(str(error).partition(";\n")[0])
