"""The bridge checks the operations of a model as Python does, before it loads the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import tfspark
from tests.bridge.session import Session
from tests.security import disguised, forbidden
from tests.thirdparty.writing import as_text

FINDINGS = """
library = spark.sparkContext._jvm.io.tfspark.TfSpark
none = spark.sparkContext._jvm.scala.Option.empty()

def found(path):
    findings = library.load(path, none, none).findings()
    return [findings.apply(at).toString() for at in range(findings.size())]

answer([found(path) for path in PATHS])
"""

REFUSALS = """
from pyspark.errors import PySparkException

def refusal(path):
    try:
        return spark.sql(f"SELECT tf_predict('{path}', 1f)").collect() and ""
    except PySparkException as error:
        return str(error)

answer([refusal(path) for path in PATHS])
"""

ALLOWED = """
import tfspark

model = PATHS["read in a signature"]
df = spark.range(1).selectExpr("1f AS x")
in_jvm = tfspark.predict(df, model, engine="jvm", keep=[], allow_ops=["ReadFile"])
in_sql = spark.sql(f"SELECT tf_predict('{model}', 1f) AS y")
answer([in_jvm.first()[0], in_sql.first()[0]])
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    home = tmp_path_factory.mktemp("forbidden")
    found = forbidden.write_all(home)
    disguises = {name: disguise for name, (disguise, _) in disguised.GRAPHS.items()}
    for name, disguise in {**disguises, **disguised.HARMLESS}.items():
        graph = disguised.Graph()
        disguise(graph)
        found[name] = home / name
        graph.write(found[name])
    (home / "words.txt").write_text("a\nb\n")
    for build in (forbidden.table_of_file, forbidden.module_with_table):
        for text in (False, True):
            found[f"{build.__name__} {text}"] = home / f"{build.__name__}{text}"
            build(found[f"{build.__name__} {text}"], home / "words.txt")
            if text:
                as_text(found[f"{build.__name__} {text}"])
    return found


@pytest.mark.slow
def test_the_bridge_finds_what_python_finds(session: Session, models: Mapping[str, Path]) -> None:
    paths = [str(path) for path in models.values()]
    expected = [[str(one) for one in tfspark.lint(path)] for path in paths]
    assert session.ask(f"PATHS = {paths!r}\n{FINDINGS}") == expected


@pytest.mark.slow
def test_sql_users_run_no_model_that_touches_more(
    session: Session, models: Mapping[str, Path]
) -> None:
    paths = {name: str(models[name]) for name in forbidden.MODELS}
    said = session.ask(f"PATHS = {list(paths.values())!r}\n{REFUSALS}")
    for name, message in zip(paths, said, strict=True):
        assert "may do more than compute" in message, name
        assert forbidden.MODELS[name][1] in message
        assert not (models[name].parent / "mark").exists()


@pytest.mark.slow
def test_the_operator_and_programs_allow_operations(
    restricted: Session, models: Mapping[str, Path]
) -> None:
    paths = {name: str(path) for name, path in models.items()}
    assert restricted.ask(f"PATHS = {paths!r}\n{ALLOWED}") == ["canary", "canary"]
