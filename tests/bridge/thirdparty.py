"""Third-party models through the bridge, for programs that the tests run with the jar.

Each case of `tests/thirdparty` goes through the Python APIs with `engine="jvm"` and through SQL's
`tf_predict`, whose options stand in a map.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

import tfspark
from tests.bridge.both import option_map, quoted
from tests.thirdparty import apis
from tests.thirdparty.apis import Api, Rows
from tests.thirdparty.case import Case
from tests.thirdparty.cases import CASES, write
from tfspark.errors import TfsparkError


def by_tf_predict(spark: SparkSession, case: Case, base: Path, folder: Path) -> Rows:
    """Call `tf_predict`, with one argument per input in their order."""
    df = spark.createDataFrame(case.table).coalesce(1)
    df.createOrReplaceTempView("thirdparty")
    chosen = {name: case.options[name] for name in ("signature", "tags") if name in case.options}
    signature = tfspark.load(base, **chosen).signature
    arguments = [apis._sql(case, spec.name) for spec in signature.inputs]
    fetch = {"fetch": case.fetch} if case.fetch else {}
    options = [option_map({**case.options, **fetch})] if case.options or fetch else []
    call = ", ".join([quoted(str(base)), *options, *arguments])
    rows = spark.sql(f"SELECT tf_predict({call}) AS y FROM thirdparty").toArrow().to_pylist()
    return apis._results(case, signature, rows)


APIS: Mapping[str, Api] = {
    "predict": partial(apis.by_predict, engine="jvm"),
    "function": apis.by_function,
    "register": apis.by_sql,
    "tf_predict": by_tf_predict,
}


def score_all(spark: SparkSession, folder: Path, asked: Mapping[str, Sequence[str]]) -> None:
    """Write the results of APIs for cases: rows, or the message of the refusal.

    Args:
        spark: A session with the jar.
        folder: The folder of the models and of `results.pickle`.
        asked: Name of a case → the APIs that score it.
    """
    found: dict[tuple[str, str], Rows | str] = {}
    for case in CASES:
        base = write(case, folder)
        for api in asked[case.name]:
            engine = {"engine": "jvm"} if api in ("function", "register") else {}
            in_jvm = replace(case, options={**case.options, **engine})
            found[api, case.name] = _rows(APIS[api], spark, in_jvm, base, folder)
    (folder / "results.pickle").write_bytes(pickle.dumps(found))


def _rows(api: Api, spark: SparkSession, case: Case, base: Path, folder: Path) -> Rows | str:
    try:
        return api(spark, case, base, folder)
    except (TfsparkError, PySparkException, Py4JJavaError) as error:
        return str(error)
