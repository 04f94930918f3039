"""The command lines of both jobs: nothing is lost, guessed or cut short."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from pathlib import Path
from types import ModuleType

import pytest

from jobs import batch_score, sql_score
from tfspark.errors import TfsparkError
from tfspark.scoring import arguments, no_effect
from tfspark.scoring.run_job import run_job

REPEATABLE = {
    *("--feed", "--constant", "--fetch", "--option", "--output-option", "--fill-null"),
    *("--output-shape", "--register"),
}
# A valid value of each flag that restricts its values.
VALUES = {
    "--version": "1",
    "--batch-size": "1",
    "--timeout": "5",
    "--engine": "native",
    "--distribute": "path",
    "--strings": "binary",
    "--on-null": "error",
    "--input-format": "csv",
    "--output-format": "csv",
    "--mode": "append",
    "--max-bad-rows": "1%",
    "--sample-rows": "1",
    "--path": "spark",
    "--chunks": "2",
    "--register": "f=m",
}
WITHOUT_VALUE = {"--narrow", "--allow-missing", "--dry-run"}

NEEDED = {
    batch_score: "--model m --input i --output o",
    sql_score: "--register f=m --query q --output o",
}


def flags_of(job: ModuleType, capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(SystemExit):
        job.parse_args(["--help"])
    return sorted(set(re.findall(r"^ +(--[a-z0-9-]+)", capsys.readouterr().out, re.M)) - {"--help"})


def refused(job: ModuleType, words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as end:
        job.parse_args(words)
    assert end.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("job", [batch_score, sql_score])
def test_a_flag_given_twice_is_refused(job: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    flags = flags_of(job, capsys)
    assert len(flags) > 12
    for flag in flags:
        once = [flag] if flag in WITHOUT_VALUE else [flag, VALUES.get(flag, "a=1")]
        error = refused(job, [*NEEDED[job].split(), *once, *once], capsys)
        assert "twice" in error or "not allowed with" in error, flag


@pytest.mark.parametrize("job", [batch_score, sql_score])
def test_a_repeatable_flag_collects(job: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    for flag in sorted(REPEATABLE & set(flags_of(job, capsys)) - {"--register"}):
        pairs = ["f.a=1", "f.b=2"] if job is sql_score else ["a=1", "b=2"]
        given = job.parse_args([*NEEDED[job].split(), flag, pairs[0], flag, pairs[1]])
        found = getattr(given, flag.strip("-").replace("-", "_"))
        assert len(found.get("f", found)) == 2, flag


@pytest.mark.parametrize(
    ("job", "words", "error"),
    [
        (batch_score, "--fill-nul a=1", "there is no flag --fill-nul. Did you mean '--fill-null'?"),
        (batch_score, "--dry", "there is no flag --dry."),
        (batch_score, "--modelx=m", "there is no flag --modelx. Did you mean '--model'?"),
        (batch_score, "--mode overwite", "found 'overwite'. Did you mean 'overwrite'?"),
        (batch_score, "--input-format parket", "Did you mean 'parquet'?"),
        (batch_score, "--output-shape y=a", "None for a size that varies, found 'y=a'"),
        (batch_score, "--constant k", "expected NAME=VALUE"),
        (sql_score, "--regster f=m", "Did you mean '--register'?"),
        (sql_score, "--fill-null a=1", "expected NAME.a, with the NAME of a registered model"),
        (sql_score, "--fill-null g.a=1", "found 'g.a'"),
    ],
)
def test_a_mistake_is_told(
    job: ModuleType, words: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert error in refused(job, [*NEEDED[job].split(), *words.split()], capsys)


def test_a_value_may_begin_like_a_flag() -> None:
    args = sql_score.parse_args(["--register", "f=m", "--query", "--comment\n SELECT 1"])
    assert args.query == "--comment\n SELECT 1"
    assert sql_score.parse_args(["--register=f=m", "--query=--x"]).query == "--x"


def test_what_flags_name() -> None:
    words = (
        "--tags serve,gpu --constant k=3 --constant s= --output-shape y= --output-shape z=3,None"
    )
    args = batch_score.parse_args([*NEEDED[batch_score].split(), *words.split()])
    assert (args.tags, args.constant) == (["serve", "gpu"], {"k": "3", "s": ""})
    assert args.output_shape == {"y": (), "z": (3, None)}
    words = "--fill-null f.a=1 --output-shape f.y.z=2"
    sql = sql_score.parse_args([*NEEDED[sql_score].split(), *words.split()])
    assert (sql.fill_null, sql.output_shape) == ({"f": {"a": "1"}}, {"f": {"y.z": (2,)}})


@pytest.mark.parametrize(
    "name",
    [
        "y__tfspark_20260102_030405_0a1b2c3d",
        ".out.tfspark/work-20260102-030405-0a1b2c3d/spark",
    ],
)
def test_no_message_names_what_is_staged(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> str:
        raise TfsparkError(f"cannot write `s`.`{name}` here")

    assert run_job(fail) == 70
    assert "tfspark" not in capsys.readouterr().err


def test_a_wrong_log_level_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TFSPARK_LOG_LEVEL", "LOUD")
    assert run_job(lambda: "") == 2
    assert "found:    'LOUD'" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "score.sql").write_bytes(b"\xff")
    assert sql_score.main(["--register", "f=m", "--file", "scores.sql"]) == 66
    error = capsys.readouterr().err
    assert f"searched in {tmp_path}. Did you mean 'score.sql'?" in error
    assert sql_score.main(["--register", "f=m", "--file", "score.sql"]) == 65
    assert "is not UTF-8 text" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "seconds"), [("0", None), ("600", 600.0), ("1.5", 1.5)])
def test_a_time_limit_is_seconds(text: str, seconds: float | None) -> None:
    assert arguments.seconds(text) == seconds


@pytest.mark.parametrize("text", ["-1", "ten", "inf", "nan", ""])
def test_a_time_limit_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="expected seconds, 0 or more"):
        arguments.seconds(text)


@pytest.mark.parametrize(
    ("job", "words", "error"),
    [
        (batch_score, "--input-table t --option a=1", "--option has no effect with --input-table"),
        (batch_score, "--input-table t --input-format csv", "--input-format has no effect with"),
        (batch_score, "--input-table t --input-format parquet", "--input-format has no effect"),
        (batch_score, "--input-table t --allow-missing", "--allow-missing has no effect with"),
        (
            batch_score,
            "--input i --input-format csv --allow-missing",
            "CSV files with --path direct",
        ),
        (
            batch_score,
            "--input i --input-format delta --allow-missing",
            "with --input-format delta",
        ),
        (
            batch_score,
            "--input i --input-format json --path direct --allow-missing",
            "with --input-format json",
        ),
        (batch_score, "--input i --max-bad-rows 3", "without --bad-rows"),
        (batch_score, "--input i --no-stats --sample-rows 3", "--sample-rows has no effect with"),
        (batch_score, "--input i --difference", "--difference has no effect without two models"),
        (sql_score, "--mode append", "--mode has no effect without an output"),
        (sql_score, "--output-format csv", "--output-format has no effect without an output"),
        (sql_score, "--output-option a=1", "--output-option has no effect without an output"),
        (sql_score, "--partition-by a", "--partition-by has no effect without an output"),
        (sql_score, "--on-null error --fill-null f.a=1", "--on-null has no effect if --fill-null"),
    ],
)
def test_a_flag_without_an_effect_is_refused(
    job: ModuleType, words: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = {
        batch_score: "--model m --output o",
        sql_score: "--register f=m --query q",
    }
    assert job.main([*needed[job].split(), *words.split()]) == 2
    said = capsys.readouterr().err
    assert error in said
    assert "Hint: " in said


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (batch_score, "--model m --input-table t --output o --mode append --keep a"),
        (batch_score, "--model m --input i --output o --input-format orc --allow-missing"),
        (
            batch_score,
            "--model m --input i --output o --input-format csv --allow-missing --path direct",
        ),
        (batch_score, "--models a=m --models b=n --input i --output o --difference --option a="),
        (sql_score, "--register f=m --register g=n --query q --on-null error --fill-null f.a=1"),
        (sql_score, "--register f=m --query q --output-table t --mode append --partition-by a"),
    ],
)
def test_a_flag_with_an_effect_is_taken(job: ModuleType, words: str) -> None:
    rules = {batch_score: no_effect.OF_BATCH_SCORE, sql_score: no_effect.OF_SQL_SCORE}
    no_effect.refuse_no_effect(job.parse_args(words.split()), rules[job])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a, b", ["a", "b"]),
        ("`a,b`,c", ["`a,b`", "c"]),
        ("`a``,b`", ["`a``,b`"]),
        ("it`s,c", ["it`s", "c"]),
    ],
)
def test_a_comma_inside_backticks_is_part_of_a_name(text: str, expected: list[str]) -> None:
    assert arguments.names(text) == expected
