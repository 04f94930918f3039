"""A job never prints, logs or writes the secrets that it is given."""

import json
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import batch_score, sql_score
from tests.shell import fresh_environment
from tfspark.scoring.report import Report
from tfspark.scoring.run_job import run_job

ROOT = Path(__file__).parents[2]
CANARY = "canary7Hq2Zx"
SECRET_URIS = [
    f"s3a://AKIAKEY:{CANARY}@bucket/x",
    f"s3a://AKIAKEY:{CANARY}/with+slash@bucket/x",
    f"file://user:{CANARY}@host/x",
    f"nosuch://host/x?sig={CANARY}",
    f"nosuch://host/x?X-Amz-Signature={CANARY}&X-Amz-Credential={CANARY}",
]


@pytest.fixture
def rows(tmp_path):
    table = pa.table({"inputs": pa.array([[1.0, 2.0], [3.0, 5.0]], pa.list_(pa.float32()))})
    pq.write_table(table, tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


@pytest.mark.parametrize("uri", SECRET_URIS)
@pytest.mark.parametrize("flag", ["--input", "--output", "--model", "--report"])
def test_a_refused_uri_is_printed_without_its_secret(
    end_of, linear, rows, tmp_path, monkeypatch, capfd, flag, uri
):
    monkeypatch.setenv("TFSPARK_LOG_LEVEL", "DEBUG")
    given = {"--model": linear, "--input": rows, "--output": tmp_path / "out", flag: uri}
    ended = end_of(batch_score.main, *(word for pair in given.items() for word in pair))
    assert ended.code != 0
    assert CANARY not in ended.stdout + ended.error


def test_the_traceback_of_a_failure_is_printed_without_secrets(monkeypatch, capfd):
    monkeypatch.setenv("TFSPARK_LOG_LEVEL", "DEBUG")

    def job():
        try:
            raise OSError(f"GET https://host/f?sig={CANARY} failed: password={CANARY}")
        except OSError as error:
            raise RuntimeError(f"jdbc:postgresql://db/x?user=joe&password={CANARY}") from error

    assert run_job(job) == 70
    said = capfd.readouterr()
    assert "jdbc:postgresql://db/x?user=joe&password=***" in said.err
    assert CANARY not in said.out + said.err


@pytest.mark.parametrize(
    "flags",
    [
        ["--option", CANARY],
        ["--option", f"={CANARY}"],
        ["--output-option", CANARY],
        ["--option", "password=x", CANARY],
        ["--option", f"password={CANARY}", "--option", "password=other"],
        ["--nosuch", f"s3a://key:{CANARY}@bucket"],
    ],
)
def test_a_usage_error_does_not_repeat_a_secret(capsys, flags):
    with pytest.raises(SystemExit) as end:
        batch_score.parse_args(["--model", "m", "--input", "i", "--output", "o", *flags])
    assert end.value.code == 2
    assert CANARY not in capsys.readouterr().err


def test_the_error_of_a_query_is_printed_without_secrets(end_of, linear):
    query = f"SELECT * FROM nosuch OPTIONS (url 'jdbc:x://h?password={CANARY}')"
    ended = end_of(sql_score.main, "--register", f"tfsecret={linear}", "--query", query)
    assert ended.code == 65
    assert CANARY not in ended.error


def test_a_report_has_no_secrets_and_keeps_names():
    report = Report("batch_score", "run", "now", {"path": f"s3a://k:{CANARY}@bucket/m"})
    report.input = f"parquet at https://host/d?sv=1&sig={CANARY}"
    report.rounded = ["column '\x1b\x7f' double → float32"]
    text = report.to_json()
    document = json.loads(text)
    assert document["model"]["path"] == "s3a://***@bucket/m"
    assert document["input"] == "parquet at https://host/d?sv=1&sig=***"
    assert document["rounded"] == report.rounded
    assert all(one == "\n" or one.isprintable() for one in text)
    assert CANARY not in text


def _without_nodes(line: str) -> str:
    """Drop plan nodes, because Spark does not mask paths in them (see SECURITY.md)."""
    event = json.loads(line)
    event.pop("sparkPlanInfo", None)
    return json.dumps(event)


@pytest.mark.slow
def test_a_run_leaves_no_secret_in_what_it_prints_and_writes(linear, rows, tmp_path):
    """The paths are on a `viewfs`, whose mount table has the name of the URI's host."""
    logs, data, home = tmp_path / "events", tmp_path / "data", tmp_path / "home"
    for folder in (logs, data, home):
        folder.mkdir()
    rows.rename(data / "rows.parquet")
    settings = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": logs.as_uri(),
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.hadoop.fs.s3a.secret.key": f"{CANARY}1",
        "spark.hadoop.fs.viewfs.ignore.port.in.mount.table.name": "true",
        "spark.hadoop.fs.viewfs.mounttable.bucket.link./data": data.as_uri(),
    }
    uri = f"viewfs://AKIAKEY:{CANARY}2@bucket:1/data"
    done = subprocess.run(
        [
            *(ROOT / "spark-submit.sh", "--master", "local[1]"),
            *(word for pair in settings.items() for word in ("--conf", "=".join(pair))),
            *("jobs/batch_score.py", "--model", linear),
            *("--input", f"{uri}/rows.parquet", "--output", f"{uri}/out"),
            *("--option", f"password={CANARY}3", "--output-option", f"access.key={CANARY}4"),
        ],
        env=fresh_environment(
            XDG_CACHE_HOME=str(home),
            TFSPARK_CACHE_DIR=str(home / "models"),
            TFSPARK_LOG_LEVEL="DEBUG",
            AWS_SECRET_ACCESS_KEY=f"{CANARY}5",
        ),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "viewfs://***@bucket:1/data/out" in done.stdout
    assert "holds a secret" in done.stdout + done.stderr  # spark-submit joins the two
    assert CANARY not in done.stdout + done.stderr
    (events,) = logs.iterdir()
    log = [_without_nodes(line) for line in events.read_text().splitlines()]
    assert any("SQLExecutionStart" in line for line in log)
    assert not [line for line in log if CANARY in line]
    written = [file for file in data.rglob("*") if file.is_file()]
    assert any("report" in file.name for file in written)
    assert not [file for file in written if CANARY.encode() in file.read_bytes()]
