"""The example configuration of a shared Thrift server: attacks that it stops, and open ones."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tfspark
from tests.bridge.conftest import BRIDGE, MODELS, SPARK_HOME, served

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
    settings = settings.replace("/var/lib/tfspark/cache", str(tmp_path / "cache"))
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
def ask(server: str, environment: dict[str, str], tmp_path: Path) -> Callable[..., str]:
    """Run statements in one session and return everything that the client prints, errors too."""

    def ask(*statements: str) -> str:
        file = tmp_path / "statements.sql"
        file.write_text("".join(f"{statement};\n" for statement in statements))
        options = ("--force=true", "--showHeader=false", "--outputformat=tsv2")
        done = subprocess.run(
            [SPARK_HOME / "bin" / "beeline", "-u", server, *options, "-f", file],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    return ask


@pytest.mark.slow
def test_the_example_offers_pinned_names_and_no_paths(
    ask: Callable[..., str], jar: Path, tmp_path: Path
) -> None:
    (tmp_path / "file.txt").write_text("1\n")
    path = SCORE.format(model=MODELS / "linear")
    said = ask(SCORE.format(model="linear"), path, "SET spark.tfspark.model.roots=/", path)
    assert "score 2.0" in said
    assert said.count("score ") == 1, said
    assert said.count("Error: ") == said.count("(state=") == 2, said
    assert REFUSED in said
    said = ask(SCORE.format(model="changed"))
    assert "not the one that is pinned" in said
    assert "score " not in said

    prepared = "CREATE TABLE loaded (a STRING) USING hive"
    said = ask(prepared, *(one.format(here=tmp_path, jar=jar) for one in OPEN.values()))
    assert "Error: " not in said, "SECURITY.md calls something open that is not: " + said
