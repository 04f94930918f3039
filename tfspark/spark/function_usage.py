"""Shows inputs, outputs and version of a model in `DESCRIBE FUNCTION`. Driver.

Spark has no public API for the description of a temporary Python function. On a classic session the
description in the function registry is replaced. On Connect, or where a version of Spark keeps the
function elsewhere, Spark shows only a class; this is logged and does not change the function.
"""

from __future__ import annotations

import logging
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from tfspark.foreign_text import one_line
from tfspark.model_title import title_of
from tfspark.package import ModelPackage
from tfspark.spark.cluster.session_kind import is_classic

_log = logging.getLogger(__name__)

# Schema and catalog in which Spark keeps temporary functions. Spark 4.3 has the first pair, and
# refuses a name without both; older versions do not find the first pair.
_PLACES = (("session", "system"), (None, None))


def usage_of(package: ModelPackage, result: str) -> str:
    """Return the description of a function that calls a model; `result` is its Spark type."""
    inputs = ", ".join(f"{spec.name} {spec.sql}" for spec in package.signature.inputs)
    model = f"model {title_of(package)}, signature {package.signature.name}"
    return one_line(f"_FUNC_({inputs}) returns {result}: {model}")


def show_usage(spark: SparkSession, name: str, usage: str) -> None:
    """Let `DESCRIBE FUNCTION` show a text for a temporary function."""
    if not is_classic(spark):
        return
    try:
        if not _replaced(spark, name, usage):
            _log.info("DESCRIBE FUNCTION %s shows no inputs: it was not found", name)
    except (Py4JError, TypeError) as error:  # py4j calls a missing class, which is no function
        _log.info("DESCRIBE FUNCTION %s shows no inputs: %s", name, error)


def _replaced(spark: SparkSession, name: str, usage: str) -> bool:
    session: Any = spark._jsparkSession
    jvm: Any = spark.sparkContext._jvm
    registry, catalyst = (
        session.sessionState().functionRegistry(),
        jvm.org.apache.spark.sql.catalyst,
    )
    for place in _PLACES:
        identifier = catalyst.FunctionIdentifier(name, *map(jvm.scala.Option.apply, place))
        found = registry.lookupFunction(identifier)
        if found.isDefined():
            old, builder = found.get(), registry.lookupFunctionBuilder(identifier).get()
            shown = (old.getClassName(), old.getDb(), old.getName(), usage, "")
            new = catalyst.expressions.ExpressionInfo(*shown)
            registry.registerFunction(identifier, new, builder)
            return True
    return False
