"""The bridge gives the numbers, the nulls and the refusals of the Python library."""

from __future__ import annotations

import pytest

from tests.bridge.both import same_problem
from tests.bridge.conftest import MODELS
from tests.bridge.session import Session

# Scores rows with nulls with both engines, and answers the differences.
COMPARE = """
import math
import numpy as np
import tfspark
from tfspark.spark.functions import predict_udf

rng = np.random.default_rng(0)
PYTHON = {"float32": float, "float64": float, "int64": int, "string": str}

def value(spec):
    row = [3 if size is None else size for size in spec.row_shape or ()]
    if spec.dtype == "string":
        values = rng.choice(np.array(["zwei", "unbekannt", ""], dtype=object), row)
    elif spec.dtype == "int64":
        values = rng.integers(-9, 9, row)
    else:
        values = rng.integers(0, 999, row) / 8
    return values.tolist() if row else PYTHON[spec.dtype](values)

def close(one, other):
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(close, one, other))
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-9)
    return one == other

found = {}
for path in PATHS:
    model = tfspark.load(path)
    inputs = model.signature.inputs
    ddl = ", ".join(
        f"{spec.name} " + tfspark.dtypes.arrays_of(
            tfspark.dtypes.by_name(spec.dtype).sql, len(spec.row_shape or ()))
        for spec in inputs
    )
    rows = [[value(spec) for spec in inputs] for _ in range(40)] + [[None] * len(inputs)]
    names = [spec.name for spec in inputs]
    df = spark.createDataFrame(rows, ddl).coalesce(1)
    df.createOrReplaceTempView("t")
    call = f"tf_predict('{path}', {', '.join(names)})"
    scala = [r[0] for r in spark.sql(f"SELECT {call} FROM t").collect()]
    python = [r[0] for r in df.select(predict_udf(model)(*names)).collect()]
    found[path] = [len(scala), sum(not close(*pair) for pair in zip(python, scala, strict=True))]
answer(found)
"""


@pytest.mark.slow
def test_same_rows_as_python(session: Session) -> None:
    names = ("linear", "shapes", "series", "pair", "fixed", "words")
    paths = [str(MODELS / name) for name in names]
    found = session.ask(f"PATHS = {paths!r}\n{COMPARE}")
    assert found == {path: [41, 0] for path in paths}


@pytest.mark.parametrize(
    ("python", "bridge", "same"),
    [
        ("row 1: 1e+300 does not fit float32", "row 1: 1.0E300 does not fit float32", True),
        ("row 1: 1e+300 does not fit float32", "row 2: 1.0E300 does not fit float32", False),
        ("row 1: 1e+300 does not fit float32", "row 1: 1.0E300 does not fit float16", False),
        ("output bytes b'\\xff' are not UTF-8", "output bytes X'FF' are not UTF-8", True),
        ("no column 'x'. Did you mean 'y'?", "no column 'x'.", True),
        ("no column 'x'.", "no column 'z'.", False),
        ("on_null is b'a', which does not fit", "on_null is X'61', which does not fit", True),
    ],
)
def test_refusals_are_compared_by_kind_and_place(python: str, bridge: str, same: bool) -> None:
    assert same_problem([python], [bridge]) is same


REFUSED = """
import tfspark
from tfspark.errors import TfsparkError
from pyspark.errors import AnalysisException

df = spark.sql("SELECT 1L AS l, 1D AS d, 'a' AS s, array(1f, 2f) AS two")
df.createOrReplaceTempView("t")
found = []
for path, arguments in CALLS:
    feed = {spec.name: name for spec, name in zip(tfspark.load(path).signature.inputs, arguments)}
    try:
        tfspark.predict(df, path, feed=feed)
        python = ""
    except TfsparkError as error:
        python = str(error)
    try:
        call = ", ".join([repr(path), "map('terms', 'python')", *arguments])
        spark.sql(f"SELECT tf_predict({call}) FROM t")
        scala = ""
    except AnalysisException as error:
        scala = str(error)
    for position, name in enumerate(arguments, start=1):
        scala = scala.replace(f"'argument {position}'", f"'{name}'")
    both = (text.splitlines() for text in (python, scala))
    found.append([[line for line in lines if line.startswith("  - ")] for lines in both])
answer(found)
"""


@pytest.mark.slow
def test_same_refusals_as_python(session: Session) -> None:
    linear, pair, words = (str(MODELS / name) for name in ("linear", "pair", "words"))
    calls = [
        (linear, ["s"]),
        (linear, ["l"]),
        (pair, ["d", "two"]),
        (pair, ["two", "s"]),
        (words, ["l"]),
        (words, ["two"]),
    ]
    found = session.ask(f"CALLS = {calls!r}\n{REFUSED}")
    for call, (python, scala) in zip(calls, found, strict=True):
        assert python, call
        assert same_problem(python, scala), (call, python, scala)


FROM_PYTHON = """
import tfspark

columns = "id int, features array<float>, h float, w float"
df = spark.createDataFrame([(1, [1.0, 2.0], 3.0, 5.0), (2, None, 7.0, 8.0)], columns)
df.createOrReplaceTempView("t")
rows = lambda frame: [list(row) for row in frame.collect()]
linear, pair = PATHS
found = {}
for engine in ("auto", "jvm"):
    kept = tfspark.predict(
        df, linear, feed={"inputs": "features"}, fetch={"outputs": "y"}, keep=["id"], engine=engine
    )
    wide = df.selectExpr("CAST(h AS DOUBLE) AS h", "CAST(w AS DOUBLE) AS w")
    stacked = tfspark.predict(wide, linear, feed={"inputs": ["h", "w"]}, narrow=True, engine=engine)
    tfspark.register(spark, "scored_" + engine, linear, engine=engine)
    named = spark.sql("SELECT scored_" + engine + "(features), scored_" + engine + "(h, w) FROM t")
    column = df.select(tfspark.predict_udf(linear, engine=engine)("features"))
    two = spark.sql("SELECT 2L AS alpha, array(1f, 2f) AS beta")
    several = tfspark.predict(two, pair, engine=engine)
    frames = (kept, stacked, several)
    found[engine] = [[frame.dtypes, rows(frame)] for frame in frames]
    found[engine] += [rows(named), rows(column)]
plan = tfspark.predict(df, linear, feed={"inputs": "features"}, engine="jvm")
found["plan"] = "TfBatchEval" in plan._jdf.queryExecution().toString()
answer(found)
"""


@pytest.mark.slow
def test_python_calls_it_by_engine(restricted: Session) -> None:
    """The models are below no root: a program may score any model that it can read."""
    linear, pair = (str(MODELS / name) for name in ("linear", "pair"))
    found = restricted.ask(f"PATHS = {[linear, pair]!r}\n{FROM_PYTHON}")
    assert found["auto"] == found["jvm"]
    assert found["plan"]
