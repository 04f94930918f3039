"""Models of other people through the bridge: for programs that the tests run with the jar.

Each case of `tests/thirdparty` goes through the Python APIs with `engine="jvm"` and through SQL's
`tf_predict`, whose options stand in a map.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

import tfspark
from tests.thirdparty import apis
from tests.thirdparty.apis import Api, Rows
from tests.thirdparty.case import Case
from tests.thirdparty.models import CASES, write
from tfspark.errors import TfsparkError


def by_tf_predict(spark: SparkSession, case: Case, base: Path, folder: Path) -> Rows:
    """Call `tf_predict`, with one argument per input in their order."""
    df = spark.createDataFrame(case.table).coalesce(1)
    df.createOrReplaceTempView("thirdparty")
    chosen = {name: case.options[name] for name in ("signature", "tags") if name in case.options}
    signature = tfspark.load(base, **chosen).signature
    arguments = [apis._sql(case, spec.name) for spec in signature.inputs]
    call = ", ".join([f"'{base}'", *_options(case), *arguments])
    rows = spark.sql(f"SELECT tf_predict({call}) AS y FROM thirdparty").toArrow().to_pylist()
    return apis._results(case, signature, rows)


def _options(case: Case) -> list[str]:
    texts = {name: _text(value) for name, value in case.options.items()}
    if case.fetch:
        texts["fetch"] = ";".join(f"{output}={column}" for output, column in case.fetch.items())
    pairs = ", ".join(f"'{name}', '{text}'" for name, text in texts.items())
    return [f"map({pairs})"] if texts else []


def _text(value: Any) -> str:
    """Write an option as SQL's map has it."""
    if isinstance(value, Mapping):
        return ";".join(
            f"{name}={','.join(map(str, one)) if isinstance(one, list | tuple) else one}"
            for name, one in value.items()
        )
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


APIS: Mapping[str, Api] = {
    "predict": apis.by_predict,
    "function": apis.by_function,
    "register": apis.by_sql,
    "tf_predict": by_tf_predict,
}


def score_all(spark: SparkSession, folder: Path, asked: Mapping[str, Sequence[str]]) -> None:
    """Write what APIs give for cases: rows, or the words of the refusal.

    Args:
        spark: A session with the jar.
        folder: Of the models, and of `results.pickle`.
        asked: Name of a case → the APIs that it goes through.
    """
    found: dict[tuple[str, str], Rows | str] = {}
    for case in CASES:
        base = write(case, folder)
        for api in asked[case.name]:
            engine = {} if api == "tf_predict" else {"engine": "jvm"}
            in_jvm = replace(case, options={**case.options, **engine})
            found[api, case.name] = _rows(APIS[api], spark, in_jvm, base, folder)
    (folder / "results.pickle").write_bytes(pickle.dumps(found))


def _rows(api: Api, spark: SparkSession, case: Case, base: Path, folder: Path) -> Rows | str:
    try:
        return api(spark, case, base, folder)
    except (TfsparkError, PySparkException, Py4JJavaError) as error:
        return str(error)
