"""The tests' own models: the bridge gives Python's rows, nulls and messages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bridge.session import Session
from tests.bridge.small_models import TYPES, SmallModels

COMPARE = """
from tests.bridge.both import Case, compare
answer([compare(spark, Case(**case)) for case in CASES])
"""

Cases = dict[str, dict[str, Any]]


def values(rows: str, columns: str = "x") -> str:
    return f"SELECT * FROM VALUES {rows} AS t({columns})"


def case(path: str, rows: str, **options: Any) -> dict[str, Any]:
    return {"path": path, "rows": rows, **options}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> SmallModels:
    return SmallModels(tmp_path_factory.mktemp("small"))


@pytest.fixture
def compared(session: Session) -> Any:
    """Compare cases in one session; both sides must agree, and refuse with the given reasons."""

    def compare(cases: Cases, *, refused: bool) -> list[dict[str, Any]]:
        found = session.ask(f"CASES = {list(cases.values())!r}\n{COMPARE}")
        differing = {
            title: one["differing"]
            for title, one in zip(cases, found, strict=True)
            if one["differing"]
        }
        assert not differing, "\n".join(f"{title}: {one}" for title, one in differing.items())
        for title, one in zip(cases, found, strict=True):
            assert bool(one["why"]) == refused, (title, one)
            assert refused or one["rows"], title
        return list(found)

    return compare


# --- values ---------------------------------------------------------------------------------------

NUMBERS = {
    "float32": "(0f), (-1.5f), (null), (float('nan')), (float('inf')), (-3.4e38f), (1e-45f)",
    "float64": "(0.1D), (1e308D), (null), (double('-inf')), (double('nan')), (4.9E-324D)",
    "int8": "(127Y), (-128Y), (null)",
    "int16": "(32767S), (-32768S), (null)",
    "int32": "(2147483647), (-2147483648), (null)",
    "int64": "(9223372036854775807), (-9223372036854775807L - 1), (9007199254740993L), (null)",
    "bool": "(true), (false), (null)",
    "string": "(''), ('größe'), (null), ('列'), ('🙂'), (repeat('x', 1000)), (string(X'00'))",
}
# Values that are checked or rounded one by one, without an option of the caller.
CONVERTED = {
    "uint8": ["(0S), (255S), (null)", "(0Y), (7Y)", "(true), (false)", "(255BD), (null)", "(255L)"],
    "uint16": ["(0), (65535), (null)", "(65535L)", "(false)"],
    "uint32": ["(0L), (4294967295L), (null)", "(7Y)", "(4294967295BD)"],
    "uint64": [
        "(0L), (9223372036854775807L), (null)",
        "(0BD), (9223372036854775808BD), (18446744073709551615BD), (null)",
        "(true), (null)",
    ],
    "int8": ["(-128L), (127L)", "(true), (false), (null)"],
    "int32": ["(-5S)", "(2147483647L)", "(-2147483648BD), (null)"],
    "int64": ["(5Y)", "(9223372036854775807BD), (-9223372036854775808BD)"],
    "float64": [
        "(1S), (2147483647), (0.1f)",
        "(9007199254740993L), (9223372036854775807L)",
        "(0.1BD), (9007199254740993BD), (null), (123456789.987654321BD)",
    ],
    "float32": [
        "(-7S)",
        "(1.1D), (1e-46D), (double('nan')), (double('-inf'))",
        "(9007199254740993L), (16777217)",
        "(true), (false), (null)",
        "(0.1BD), (16777217BD), (-0.7BD), (null)",
        # Halfway between two floats, and slightly above: conversion through a double rounds twice.
        "(1.000000059604644775390625BD), (1.0000000596046447753906250001BD)",
    ],
    "bfloat16": [
        "(0.1f), (3.3895314e38f), (9.2e-41f), (float('nan')), (null)",
        "(1.00390625D), (1.003906250000001D), (-1.01171875D), (1e-300D), (double('inf'))",
        "(257), (-259), (9007199254740993L), (4629700416936869889L), (-9223372036854775808L)",
        "(-5Y), (127Y)",
        "(true), (null)",
        "(0.1BD), (1.00390625BD), (1.00390625000000000000001BD)",
    ],
    # Halfway between two halves, or slightly above: the digits that a float drops decide.
    "float16": [
        "(0.1f), (-65504f), (65519f), (5.9604645e-8f), (2.98e-8f), (float('nan')), (null)",
        "(1.00048828125D), (1.000488281250001D), (1.0014648437499996D), (-65519.999999D)",
        "(2.9802322387695312e-8D), (2.98023223876953126e-8D), (1e-300D), (double('inf'))",
        "(2049), (-2051), (65519)",
        "(-5Y)",
        "(true), (null)",
        "(0.1BD), (65519BD), (1.00048828125BD)",
    ],
}
NARROWED = {
    "uint8": ["(0D), (255D)", "(float(7))", "(7.00BD)"],
    "uint16": ["(65535D)"],
    "uint32": ["(4294967295D)", "(4294967040f)"],
    "uint64": [
        "(0D), (9223372036854775808D), (18446744073709549568D)",
        "(18446742974197923840f)",
        "(18446744073709551615.00BD)",
    ],
    "int8": ["(-128f), (127f)"],
    "int64": [
        "(9223372036854774784D), (-9223372036854775808D)",
        "(-9223372036854775808f)",
        "(-9223372036854775808.0BD)",
    ],
    "int32": ["(-2147483648D), (2147483647D)", "(2147483520f)"],
}
DEEP = {
    ("float32", 1): "(1f), (null), (float('nan'))",
    ("int32", 1): "(array(1)), (null), (array(null))",
    ("float32", None): "(array(1f, float('nan'))), (null), (array()), (array(1f, null))",
    ("bool", None): "(array(true, false)), (array(true, null)), (array())",
    ("string", None): "(array('a', '')), (array('x', null)), (array()), (array('größe'))",
    ("float64", None, None): "(array(array(1D, 2D), array(3D, 4D))), (array(array())), (null)",
    ("uint64", None): "(array(18446744073709551615BD, 0BD)), (null), (array()), (array(1BD, null))",
    ("int64", None, None): "(array(array(1L, 2L))), (array(array(1L, null))), (array(null))",
    ("int8", None, 2): "(array(array(1Y, 2Y))), (array()), (array(array(1Y, null)))",
    ("float32", 2, 3): "(array(array(1f, 2f, 3f), array(4f, 5f, 6f))), (null)",
    ("float64", 2, 3): "(array(1D, 2D, 3D, 4D, 5D, 6D)), (null), (array(1D, 2D, 3D, 4D, 5D, null))",
    ("float32", 2, None): "(array(array(1f), array(2f))), (array(array(1f, 2f), array(3f, 4f)))",
    ("float32", 0): "(CAST(array() AS array<float>)), (null)",
    ("string", None, None, None): "(array(array(array('a', 'b')))), (array(array(null)))",
}


@pytest.mark.slow
def test_values_of_every_type_and_shape_are_the_same(compared: Any, models: SmallModels) -> None:
    cases = {name: case(models.identity(name), values(rows)) for name, rows in NUMBERS.items()}
    for narrow, table in ((False, CONVERTED), (True, NARROWED)):
        for name, several in table.items():
            for rows in several:
                title = f"{name} of {rows}"
                cases[title] = case(models.identity(name), values(rows), narrow=narrow)
    for (name, *shape), rows in DEEP.items():
        cases[f"{name} {shape}"] = case(models.identity(name, *shape), values(rows))
    binary = {"strings": "binary"}
    cases["bytes"] = case(models.identity("string"), values("(X'ff00'), (null), (X'')"), **binary)
    nested = values("(array(X'ff', X'')), (array()), (array(null))")
    cases["nested bytes"] = case(models.identity("string", None), nested, **binary)
    for rows in ("(1f), (null)", "(array(1f, 2f)), (array()), (array(3f))"):
        cases[f"any rank {rows}"] = case(models.any_rank(), values(rows))
    found = compared(cases, refused=False)
    assert max(one["relative"] for one in found) == 0


@pytest.mark.slow
def test_inputs_outputs_state_and_assets_are_the_same(compared: Any, models: SmallModels) -> None:
    two = "SELECT float(id) AS b, if(id % 4 = 3, null, 2f) AS a FROM range(40)"
    odd = "SELECT float(id) AS `a-b`, 2f AS class, string(id) AS `x/y:0` FROM range(3)"
    texts = values("('aé'), (''), (null), ('b'), ('Straße, more than fits a record'), ('')", "text")
    words = values("('two'), ('never heard'), (null), ('zero'), ('')", "words")
    picture = "SELECT transform(sequence(0, 5), i -> cast(i + id AS float)) AS x FROM range(3)"
    pair, unfit, table = models.pair(), models.unfit(), models.table()
    floats, floats10 = values("(1f), (null), (3f)"), "SELECT float(id) AS x FROM range(10)"
    cases = {
        "two inputs": case(pair, two),
        "one of two outputs": case(pair, two, fetch={"sum": "s"}, sql=False),
        "outputs in another order": case(
            pair, two, fetch={"sum": "s", "difference": "d"}, sql=False
        ),
        "renamed columns": case(
            pair, "SELECT 1f AS `x.y`, 2f AS `it's`", feed={"a": "it's", "b": "x.y"}
        ),
        "one column for two inputs": case(pair, floats, feed={"a": "x", "b": "x"}),
        "a second signature": case(pair, values("(7L), (null)"), signature="double"),
        "odd keys": case(models.odd_keys(), odd),
        "kernels on strings": case(models.text(), texts),
        "a table of an asset": case(table, words),
        "a table that learns": case(table, words, signature="learn", sql=False),
        "parts of a picture": case(models.pictures(), picture),
        "batches of three": case(models.batches(), floats10, batch_size=3, sql=False),
        "a fixed batch": case(models.fixed(), floats10),
        "a fixed batch with nulls": case(models.fixed(), floats),
        "stacked": case(models.linear(), two, feed={"inputs": ["a", "b"]}),
        "stacked beside another input": case(
            models.ids_and_number(),
            values("(9007199254740993L, true, 1F), (2L, false, null)", "a, b, x"),
            feed={"ids": ["a", "b"], "x": "x"},
            sql=False,
        ),
        "an output beside others that are none": case(
            unfit, floats, fetch={"good": "y"}, sql=False
        ),
    }
    compared(cases, refused=False)


LARGE = """
import tfspark
rows = "IF(id BETWEEN 8 AND 9999, NULL, float(id)) AS x"
scored = tfspark.predict(spark.range(0, 40000, 1, 1).selectExpr(rows), PATH, engine="jvm")
answer([row["rows"] for row in scored.collect()])
"""


def test_nulls_do_not_lengthen_the_runs_of_a_large_model(
    session: Session, models: SmallModels
) -> None:
    found = session.ask(f"PATH = {models.large()!r}\n{LARGE}")
    assert found[:9] == [8] * 8 + [None]
    assert found[10_000] == 16
    assert max(found[10_000:]) > 16


STRUCTS = """
from pyspark.ml.linalg import Matrices, Vectors
from pyspark.sql.types import Row
VECTORS = [Vectors.dense(1, 2), None, Vectors.sparse(2, [1], [0.1]), Vectors.sparse(2, [], [])]
MATRICES = [
    Matrices.dense(2, 3, range(6)), None, Matrices.sparse(2, 3, [0, 1, 1, 2], [0, 1], [5, 0.1])
]
IMAGE = "struct<origin:string,height:int,width:int,nChannels:int,mode:int,data:binary>"
IMAGES = [("o", 2, 3, 3, 16, bytearray(range(18))), None, ("o", 1, 2, 4, 24, bytearray(range(8)))]
frames = {
    "vectors": spark.createDataFrame([Row(id=n, x=one) for n, one in enumerate(VECTORS)]),
    "matrices": spark.createDataFrame([Row(id=n, x=one) for n, one in enumerate(MATRICES)]),
    "images": spark.createDataFrame([(1, one) for one in IMAGES[:2]], f"id int, x {IMAGE}"),
    "more channels": spark.createDataFrame([(1, one) for one in IMAGES[1:]], f"id int, x {IMAGE}"),
    "no data": spark.createDataFrame([(1, ("o", 2, 3, 3, 16, None))], f"id int, x {IMAGE}"),
    "pixels": spark.createDataFrame([(1, bytearray(range(6))), (2, None)], "id int, x binary"),
}
answer([compare_frame(spark, frames[name], path) for name, path in CASES])
"""


@pytest.mark.slow
def test_vectors_matrices_images_and_pixels_are_the_same(
    session: Session, models: SmallModels
) -> None:
    cases = [
        ("vectors", models.identity("float32", 2)),
        ("vectors", models.identity("float64", None)),
        ("matrices", models.identity("float32", 2, 3)),
        ("matrices", models.identity("float64", None, None)),
        ("images", models.identity("uint8", 2, 3, 3)),
        ("images", models.identity("float32", None, None, 3)),
        ("images", models.identity("int32", None, None, None)),
        ("more channels", models.identity("uint8", 1, 2, 4)),
        ("pixels", models.identity("uint8", 1, 2, 3)),
        ("pixels", models.identity("uint8", None)),
        # Refused because of the length, the type, the number of channels, the data.
        ("vectors", models.identity("float32", 3)),
        ("vectors", models.identity("int32", 2)),
        ("images", models.identity("string")),
        ("images", models.identity("uint8", 2, 3, 4)),
        ("no data", models.identity("uint8", 2, 3, 3)),
        ("pixels", models.identity("float32", 6)),
        ("pixels", models.identity("uint8", 7)),
    ]
    program = "from tests.bridge.both import compare_frame\n" + STRUCTS
    found = session.ask(f"CASES = {cases!r}\n{program}")
    for title, one in zip(cases, found, strict=True):
        assert not one["differing"], title
    assert [bool(one["why"]) for one in found] == [False] * 10 + [True] * 7


@pytest.mark.slow
def test_nulls_are_filled_and_refused_alike(compared: Any, models: SmallModels) -> None:
    numbers, text = values("(1f), (null), (3f)"), values("('a'), (null)")
    arrays = values("(array(1L, null)), (null), (array(2L, 3L))")
    two = "SELECT float(id) AS b, if(id = 1, null, 2f) AS a FROM range(3)"
    fills: dict[str, tuple[str, str, Any]] = {
        "a number": (models.identity("float32"), numbers, 7),
        "a fraction": (models.identity("float64"), numbers, 0.5),
        "text is left alone": (models.identity("string"), text, 0),
        "a text": (models.identity("string"), text, {"x": "none"}),
        "elements": (models.identity("int64", None), arrays, {"x": -1}),
        "one of two": (models.pair(), two, {"a": 5}),
        "a boolean": (models.identity("bool"), values("(true), (null)"), {"x": False}),
        "a decimal": (models.identity("float32"), values("(1.5BD), (null)"), 0.5),
    }
    cases = {
        title: case(path, rows, options={"on_null": fill})
        for title, (path, rows, fill) in fills.items()
    }
    compared(cases, refused=False)
    refused: dict[str, tuple[str, str, Any]] = {
        "a null": (models.identity("float32"), numbers, "error"),
        "a null in an array": (models.identity("int64", None), arrays, "error"),
        "a fill that is none": (models.identity("int64"), values("(1L), (null)"), 0.5),
        "a text for a number": (models.identity("float32"), numbers, {"x": "no"}),
    }
    compared(
        {
            title: case(path, rows, options={"on_null": fill})
            for title, (path, rows, fill) in refused.items()
        },
        refused=True,
    )


@pytest.mark.slow
def test_column_functions_are_the_same(compared: Any, models: SmallModels) -> None:
    """They accept NULL and array() without a type, and, unlike `predict`, a scalar for a series."""
    two = "SELECT float(id) AS b, if(id % 4 = 3, null, 2f) AS a FROM range(40)"
    void = "SELECT null AS x, array() AS v, array(null) AS w FROM range(2)"
    pair, series = models.pair(), models.identity("float32", None)
    floats = values("(1f), (null), (3f)")
    cases = {
        "two inputs": case(pair, two),
        "outputs in another order": case(
            pair, two, fetch={"sum": "s", "difference": "d"}, sql=False
        ),
        "an output beside others that are none": case(
            models.unfit(), floats, fetch={"good": "y"}, sql=False
        ),
        "stacked": case(models.linear(), two, feed={"inputs": ["a", "b"]}),
        "a scalar for a series": case(series, floats),
        "null": case(models.identity("int64"), void),
        "null for a vector": case(series, void),
        "null for a matrix": case(models.identity("string", None, None), void),
        "an array of nothing": case(series, void, feed={"x": "v"}),
        "an array of null": case(series, void, feed={"x": "w"}),
    }
    compared({title: one | {"call": True} for title, one in cases.items()}, refused=False)


@pytest.mark.slow
def test_column_functions_refuse_alike(compared: Any, models: SmallModels) -> None:
    row = "SELECT 1f AS x, array(1f, 2f) AS v, 's' AS s, 1D AS d, null AS n, array() AS e"
    pair, linear = models.pair(), models.linear()
    cases = {
        "two inputs": case(pair, row, feed={"a": "s", "b": "d"}),
        "arrays in a stack": case(linear, row, feed={"inputs": ["x", "v"]}),
        "a stack that is too long": case(linear, row, feed={"inputs": ["x", "x", "x"]}),
        "a text": case(linear, row, feed={"inputs": "s"}),
        "an empty array": case(linear, row, feed={"inputs": "e"}),
    }
    compared({title: one | {"call": True} for title, one in cases.items()}, refused=True)


# --- refusals -------------------------------------------------------------------------------------

UNFIT_VALUES = {
    "uint8": ["256", "-1S", "300BD"],
    "uint16": ["65536L"],
    "uint32": ["-1D", "4294967296f"],
    "uint64": ["-1L", "-1D", "1.5D", "18446744073709551616D", "-1BD", "18446744073709551616BD"],
    "int8": ["128S", "127.5f", "1.50BD"],
    "int32": ["2147483648L", "double('nan')"],
    "int64": ["float('-inf')", "9223372036854775808D", "0.1f", "9223372036854775808BD"],
    "float32": ["1e39D"],
    "bfloat16": ["3.4e38f", "1e300D"],
    "float16": ["65520f", "70000L", "-65520D", "70000BD"],
}
UNFIT_ROWS = {
    ("float32", 2): ["array(1f, 2f, 3f)"],
    ("float32", 2, 3): ["array(1f, 2f)", "array(array(1f), array(2f))"],
    ("float64", None, None): [
        "array(array(1D, 2D, 3D), array(3D), array(), array(1D))",
    ],
    ("float32", 2, None): ["array(array(1f))"],
    ("float64", None, None, None): [
        "array(array(array(1D), array(1D)), array(array(1D, 2D), array(1D, 2D)))",
        "array(array(array(1D)), array(array(1D), array(2D)))",
    ],
    ("string", None, 2): ["array(array('a'))"],
}
NO_TEXT = ["X'610a27ff'", "X'22275c0900ff'", "unhex(repeat('ff', 30))", "X'eda080'"]
NO_COLUMNS = [
    *("date'2020-01-01'", "timestamp'2020-01-01 00:00:00'", "struct(1f AS a)", "map('a', 1f)"),
    *("array(date'2020-01-01')", "'1'", "array(1f)", "INTERVAL '1' YEAR", "X'00'", "array(X'00')"),
    *("timestamp_ntz'2020-01-01 00:00:00'", "INTERVAL '1' DAY", "array('1')"),
    *("array(map('a', 1f))", "array(struct(1f AS a))", "INTERVAL '1' MONTH"),
]
NO_TEXT_COLUMNS = ["date'2020-01-01'", "array(date'2020-01-01')", "INTERVAL '1' DAY"]


@pytest.mark.slow
def test_rows_are_refused_alike(compared: Any, models: SmallModels) -> None:
    cases = {}
    for name, several in UNFIT_VALUES.items():
        for value in several:
            good = values(f"(CAST(null AS double)), (1D), ({value})")
            is_double = (value.endswith("D") and not value.endswith("BD")) or "double" in value
            rows = good if is_double else values(f"(null), ({value})")
            cases[f"{name} of {value}"] = case(models.identity(name), rows, narrow=True)
    for (name, *shape), several in UNFIT_ROWS.items():
        for value in several:
            cases[f"{name} {shape} of {value}"] = case(
                models.identity(name, *shape), values(f"(null), ({value})")
            )
    for value in NO_TEXT:
        cases[value] = case(models.identity("string"), values(f"(X'61'), (null), ({value})"))
    nested = values("(array(X'61', X'62')), (array(X'61', X'ff'))")
    cases["no text in an array"] = case(models.identity("string", None), nested)
    six = "SELECT if(id = 6, 'six', string(id)) AS text FROM range(9)"
    cases["a text that is no number"] = case(models.numbers(), six)
    many = "SELECT float(if(id = 7, 11, id % 9)) AS x FROM range(12)"
    cases["a number that is asserted"] = case(models.asserts(), many)
    cases["the same of a fixed batch"] = case(models.fixed(), many)
    cases["rows that get lost"] = case(models.shorter(), many)
    compared(cases, refused=True)


@pytest.mark.slow
def test_queries_are_refused_alike(compared: Any, models: SmallModels) -> None:
    pair, unfit, linear = models.pair(), models.unfit(), models.linear()
    cases = {
        # A struct that is the only argument feeds the inputs by its fields.
        value: case(
            models.identity("float32"),
            f"SELECT {value} AS x FROM range(1)",
            sql=not value.startswith("struct"),
        )
        for value in NO_COLUMNS
    }
    for value in NO_TEXT_COLUMNS:
        query = f"SELECT {value} AS x FROM range(1)"
        cases[f"text of {value}"] = case(models.identity("string"), query)
    sources = (
        "tinyint",
        "smallint",
        "int",
        "bigint",
        "float",
        "double",
        "boolean",
        "string",
        "binary",
        "decimal(10, 0)",
        "decimal(10, 2)",
    )
    for source in sources:
        # One column for every input of every type: a line for each input that it does not fit.
        rows, feed = f"SELECT CAST(null AS {source}) AS x FROM range(1)", dict.fromkeys(TYPES, "x")
        for narrow in (False, True):
            cases[f"{source}, narrow {narrow}"] = case(
                models.every_type(), rows, feed=feed, narrow=narrow
            )
    for name in ("complex64", "complex128"):
        cases[name] = case(models.identity(name), values("(1f)"))
    floats, row = values("(1f)"), "SELECT 1f AS x, array(1f, 2f) AS v, 's' AS s, 1D AS d"
    cases |= {
        "outputs that are no columns": case(unfit, floats),
        "one output that is none": case(unfit, floats, fetch={"total": "t"}, sql=False),
        "inputs that disagree": case(models.disagreeing(), row, feed={"a": "x", "b": "x"}),
        "two inputs": case(pair, row, feed={"a": "s", "b": "d"}),
        "arrays in a stack": case(linear, row, feed={"inputs": ["x", "v"]}),
        "a stack that is too long": case(linear, row, feed={"inputs": ["x", "x", "x"]}),
        "a text in a stack": case(linear, row, feed={"inputs": ["s", "d"]}),
        "a scalar for a vector": case(linear, floats, feed={"inputs": "x"}),
        "a scalar for a series": case(models.identity("float32", None), floats, sql=False),
        "a vector for a matrix": case(models.identity("float32", None, None), row, feed={"x": "v"}),
        "no inputs": case(models.no_inputs(), floats, sql=False),
    }
    compared(cases, refused=True)
