"""The example configuration of a shared Thrift server: attacks that it stops, and open ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tfspark
from tests.bridge.conftest import BRIDGE, MODELS, served
from tests.bridge.jdbc import Execute, Jdbc, RefusedError

EXAMPLE = BRIDGE / "examples" / "thrift-server.conf"
SCORE = "SELECT concat('score ', tf_predict('{model}', float(id), 1)) FROM range(1)"

# SECURITY.md lists these as open: Spark has no setting that forbids them to SQL users.
OPEN = {
    "reflect": "SELECT reflect('java.lang.System', 'getProperty', 'file.separator')",
    "java_method": "SELECT java_method('java.lang.System', 'getProperty', 'file.separator')",
    "transform": "SELECT TRANSFORM (id) USING 'cat' AS (a) FROM range(1)",
    "add file": "ADD FILE {here}/file.txt",
    "add jar": "ADD JAR {jar}",
    "function": "CREATE FUNCTION f AS 'io.tfspark.hive.TfPredictUdf' USING JAR '{jar}'",
    "load data": "LOAD DATA LOCAL INPATH '{here}/file.txt' INTO TABLE loaded",
    "write": "INSERT OVERWRITE DIRECTORY 'file:{here}/written' USING csv SELECT 1",
    "table": "CREATE TABLE outside (a STRING) USING csv LOCATION 'file:{here}/outside'",
    "set": "SET spark.sql.runSQLOnFiles=true",
}
REFUSED = "may not be called from SQL"
# The digest in the example, which the operator replaces.
NO_DIGEST = "0" * 64


@pytest.fixture
def server(environment: dict[str, str], jar: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a server with the example's settings, with models and folders of the test."""
    settings = EXAMPLE.read_text().replace("/srv/models", str(MODELS))
    settings = settings.replace("/var/lib/tfspark/cache", environment["TFSPARK_CACHE_DIR"])
    assert settings.count(NO_DIGEST) == 1
    settings = settings.replace(NO_DIGEST, tfspark.load(MODELS / "linear").digest)
    pinned = next(line for line in settings.splitlines() if ".linear.sha256 " in line)
    settings += f"\nspark.tfspark.model.changed {MODELS}/fixed\n"
    settings += pinned.replace(".linear.", ".changed.") + "\n"
    file = tmp_path / "example.conf"
    file.write_text(settings)
    with served(environment, tmp_path, "--jars", jar, "--properties-file", file) as address:
        yield address


@pytest.fixture
def ask(server: str, jdbc: Jdbc) -> Callable[..., list[str]]:
    """Run statements in one session and return their results; a refusal as `Error: `."""

    def ask(*statements: str) -> list[str]:
        with jdbc.connect(server) as execute:
            return [line for text in statements for line in _told(execute, text)]

    return ask


def _told(execute: Execute, statement: str) -> list[str]:
    try:
        return execute(statement)
    except RefusedError as refused:
        return [f"Error: {refused}"]


@pytest.mark.slow
def test_the_example_offers_pinned_names_and_no_paths(
    ask: Callable[..., list[str]], jar: Path, tmp_path: Path
) -> None:
    (tmp_path / "file.txt").write_text("1\n")
    path = SCORE.format(model=MODELS / "linear")
    score, refused, accepted, still_refused = ask(
        SCORE.format(model="linear"), path, "SET spark.tfspark.model.roots=/", path
    )
    assert score == "score 2.0"
    assert not accepted.startswith("Error: ")
    for told in (refused, still_refused):
        assert told.startswith("Error: ")
        assert REFUSED in told
    (changed,) = ask(SCORE.format(model="changed"))
    assert changed.startswith("Error: ")
    assert "not the one that is pinned" in changed

    prepared = "CREATE TABLE loaded (a STRING) USING hive"
    said = ask(prepared, *(one.format(here=tmp_path, jar=jar) for one in OPEN.values()))
    wrong = [told for told in said if told.startswith("Error: ")]
    assert not wrong, "SECURITY.md calls something open that is not"
