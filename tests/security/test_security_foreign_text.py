"""Text from outside is printed without control characters and secrets."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfspark import foreign_text

SECRET = "hunter2Zq9"
HOSTILE = "\x1b[31m\n2026-01-01 00:00:00 ERROR forged"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        ("a\u202eb\u2066c\u2028d\u2029", r"a\u202eb\u2066c\u2028d\u2029"),
        ("\udcff", r"\udcff"),
        ("Größe 名前 \\n 🙂", "Größe 名前 \\n 🙂"),
    ],
)
def test_control_characters_are_written_out(text, expected):
    assert foreign_text.one_line(text) == expected


def test_only_line_breaks_stay_in_lines():
    assert foreign_text.lines("one\ntwo\r\x1b") == "one\ntwo" + r"\r\x1b"
    assert foreign_text.quoted_lines("one\n2026 ERROR forged") == "one\n    2026 ERROR forged"


@given(st.text())
def test_what_is_printed_holds_no_control_character_and_twice_is_once(text):
    once = foreign_text.one_line(text)
    assert not any(
        ord(one) < 32 or 127 <= ord(one) < 160 or one in "\u2028\u2029\u202e" for one in once
    )
    assert foreign_text.one_line(once) == once
    once.encode()


WITH_SECRETS = [
    (f"s3a://AKIAKEY:{SECRET}@bucket/data", "s3a://***@bucket/data"),
    (f"s3a://AKIAKEY:{SECRET}/with/slash@bucket/data", "s3a://***@bucket/data"),
    (f"https://{SECRET}@host:8443/x", "https://***@host:8443/x"),
    (f"jdbc:postgresql://db:5432/x?user=joe&password={SECRET}", "jdbc:postgresql://db:5432/x?"),
    (f"jdbc:sqlserver://db:1433;user=joe;password={SECRET}@1;database=x", "db:1433"),
    (f"jdbc:oracle:thin:scott/{SECRET}@//db:1521/x", "jdbc:oracle:thin:***@//db:1521/x"),
    (f"https://acct.blob.core.windows.net/c/f?sv=2024&sig={SECRET}%3D", "/c/f?sv=2024&sig=***"),
    (f"https://b.s3.amazonaws.com/k?X-Amz-Credential={SECRET}%2Fus&X-Amz-Date=2026", "Date=2026"),
    (f"https://b/k?X-Amz-Signature={SECRET}", "https://b/k?X-Amz-Signature=***"),
    (f"https://b/k?X-Amz-Security-Token={SECRET}&x=1", "&x=1"),
    (f"https://b/k?a=1&token={SECRET}&key={SECRET}&access_token={SECRET}", "https://b/k?a=1"),
    (f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={SECRET}==;x=y", "AccountName=a"),
    (f"Map(user -> joe, password -> {SECRET}, dbtable -> t)", "dbtable -> t"),
    (f"{{'user': 'joe', 'password': '{SECRET}'}}", "'user': 'joe'"),
    (f"url=jdbc:h2://h/x?password={SECRET}", "url=jdbc:h2://h/x?password=***"),
    (f"spark.hadoop.fs.s3a.secret.key={SECRET}", "spark.hadoop.fs.s3a.secret.key=***"),
    (f"fs.azure.account.key.acct.dfs.core.windows.net={SECRET}", "acct.dfs.core.windows.net"),
    (f'password="{SECRET} {SECRET}"', "password="),
    (f"OPTIONS (user 'joe', password '{SECRET}')", "user 'joe', password ***)"),
    (f"Authorization: Bearer {SECRET}", "Authorization: Bearer ***"),
    (f"a\npassword={SECRET}\nb", "a\\npassword=***\\nb"),
]


@pytest.mark.parametrize(("text", "stays"), WITH_SECRETS)
def test_secrets_are_masked_and_the_rest_stays(text, stays):
    shown = foreign_text.one_line(text)
    assert SECRET not in shown
    assert stays in shown
    assert foreign_text.one_line(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "abfss://container@account.dfs.core.windows.net/model",
        "hdfs://nn1:8020,nn2:8020/user/joe@example.com/x",
        "s3a://bucket/day=1/key=5/token=a/part@2.parquet",
        "file:///tmp/a@b",
        'name one with signature="serving_default" (--signature)',
        "feed={'token': 'text', 'key': 'id'}",
        "bind by name, such as --feed tokens=words",
        "max_tokens=512 tokenizer=bert keyboard=de",
        "models:/name@alias",
    ],
)
def test_what_is_no_secret_stays(text):
    assert foreign_text.one_line(text) == text


@pytest.mark.parametrize(
    "piece", ["token", "://", "://a:", "password=", "a.", "'", '"', "jdbc:oracle:x:", "@", "\x1b"]
)
@pytest.mark.timeout(60)  # quadratic time would be minutes
def test_hostile_text_takes_linear_time(piece):
    text = piece * (500_000 // len(piece))
    assert foreign_text.one_line(text)


def test_the_module_stands_alone():
    code = (
        "import sys, importlib.util as u;"
        "s=u.spec_from_file_location('f', sys.argv[1]); m=u.module_from_spec(s);"
        "s.loader.exec_module(m); print(sorted(n for n in sys.modules if n.startswith('tfspark')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, foreign_text.__file__],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[]\n"
