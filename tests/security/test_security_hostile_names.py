"""Names and values from outside are escaped before a terminal or log shows them."""

import json
import logging
from io import StringIO

import pytest

from jobs import batch_score, sql_score
from tfspark import columns, errors, origin
from tfspark.scoring.job_log import JobFormatter
from tfspark.signature import TensorSpec

HOSTILE = "\x1b[31mred\n2026-01-01 00:00:00,000 ERROR forged"
WRITTEN = r"\x1b[31mred\n2026-01-01 00:00:00,000 ERROR forged"
CSV_HEADER = "\x1b[31mred\u202e"


def is_safe(text: str) -> bool:
    """Whether no line begins like the forged record and no control character remains."""
    harmless = all(one == "\n" or (one.isprintable() and one != "\u202e") for one in text)
    return harmless and not any(line.startswith("2026-01-01") for line in text.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        errors.explain(HOSTILE, expected=HOSTILE, found=HOSTILE, hint=HOSTILE),
        errors.explain_all(HOSTILE, [HOSTILE], hint=HOSTILE),
        errors.listing([HOSTILE]),
        errors.did_you_mean(HOSTILE + "x", [HOSTILE]),
        str(TensorSpec(HOSTILE, "float32", (None,))),
        origin.Origin(HOSTILE, 0, lambda row: HOSTILE).of_row(3),
        errors.explain("x", hint=columns.describe({HOSTILE: columns.Column(None, "int")})),
    ],
)
def test_every_part_of_a_message_is_safe(text):
    assert is_safe(text), text


def test_an_error_that_nobody_composed_has_no_control_characters():
    assert str(errors.EngineError("one\n\x1b[31mtwo\u202e")) == "one\n" + r"\x1b[31mtwo\u202e"


def test_escaping_what_repr_has_escaped_changes_nothing():
    name = errors.listing([HOSTILE])
    assert errors.explain(name) == name == repr(HOSTILE)


def test_an_option_of_a_model_is_no_secret():
    hint = 'name one with signature="serving_default" (--signature).'
    assert errors.explain("x", hint=hint).endswith(hint)


def test_a_record_of_the_log_is_one_line_and_its_traceback_is_indented(monkeypatch):
    out = StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JobFormatter())
    logger = logging.getLogger("hostile_names")
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "propagate", False)
    logger.warning("columns %s at %s", HOSTILE, "s3a://key:hunter2@bucket/x")
    try:
        raise ValueError(f"{HOSTILE} password=hunter2")
    except ValueError:
        logger.exception("failed")
    first, second, *rest = out.getvalue().splitlines()
    assert first.endswith(f"columns {WRITTEN} at s3a://***@bucket/x")
    assert second.endswith("failed")
    assert all(line.startswith("    ") for line in rest)
    assert is_safe(out.getvalue().replace(first, ""))
    assert "hunter2" not in out.getvalue()


def test_columns_at_hand_are_written_out(end_of, linear, tmp_path):
    (tmp_path / "rows.json").write_text(json.dumps({HOSTILE: "a", "other": "b"}) + "\n")
    ended = end_of(
        batch_score.main,
        *("--model", linear, "--input", tmp_path / "rows.json", "--input-format", "json"),
        *("--output", tmp_path / "out"),
    )
    assert ended.code == 65
    assert f"Available columns: {WRITTEN} string" in ended.error
    assert is_safe(ended.error), ended.error


def test_columns_to_keep_and_paths_are_written_out(end_of, linear, tmp_path):
    (tmp_path / "rows.json").write_text(json.dumps({HOSTILE: "a", "inputs": [1.0, 2.0]}) + "\n")
    given = ("--model", linear, "--input", tmp_path / "rows.json", "--input-format", "json")
    out = tmp_path / f"o{CSV_HEADER}"
    kept = end_of(batch_score.main, *given, "--output", out, "--keep", "absent")
    assert kept.code == 65
    assert WRITTEN in kept.error
    plan = end_of(batch_score.main, *given, "--output", out, "--narrow", "--dry-run")
    assert WRITTEN in plan.stdout
    assert is_safe(kept.error + plan.stdout + plan.error), plan.stdout


def test_rows_on_a_terminal_are_written_out(end_of, linear, tmp_path):
    query = "SELECT concat(char(27), '[31m', char(155), 'red') AS colour"
    ended = end_of(sql_score.main, "--register", f"tfred={linear}", "--query", query)
    assert ended.code == 0, ended.error
    assert r"\x1b[31m\x9bred" in ended.stdout
    assert is_safe(ended.stdout)


def test_the_words_of_spark_are_written_out(end_of, linear):
    query = f"SELECT `{HOSTILE}` FROM VALUES (1) AS t(x)"
    ended = end_of(sql_score.main, "--register", f"tfred={linear}", "--query", query)
    assert ended.code == 65
    assert is_safe(ended.error), ended.error
