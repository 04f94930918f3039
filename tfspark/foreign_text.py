r"""Makes text from outside safe to print. Driver and executor.

Escapes control characters and masks secrets of known forms. Names of columns, tables, files and
models, values of rows and messages of Spark and TensorFlow come from outside. Printed unchanged,
they can move a terminal's cursor, change the direction of a line, imitate a log record, or show a
password from a URI.

Pure functions. Escaping a text twice gives the same as escaping it once, so an error may be escaped
when it is made and again when it is printed. Backslashes are not escaped: a literal `\x1b` and an
escaped control character look the same.
"""

from __future__ import annotations

import re

MASK = "***"

# C0, DEL and C1; line and paragraph separators; marks, embeddings, overrides and isolates that
# change the direction of text; the invisible BOM; halves of surrogate pairs, which UTF-8 cannot
# encode and which Python puts into file names that are not UTF-8.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_LINE_BREAK = re.compile(r"\n(?! {4})")
_INDENTED = "\n    "
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}

# `name=value`, `name -> value` as Scala prints maps, `"name": value`, and SQL's `name 'value'`. A
# match can only begin at the start of a word, and lengths are limited, so that hostile text takes
# linear time.
_NAME = re.compile(r"""(?<![\w.\-])([\w.\-]{1,256})(?:\s?=\s?|\s?->\s?|["']\s?:\s?|\s(?='))""")
_VALUE = re.compile(rf"""{re.escape(MASK)}|"[^"]*"?|'[^']*'?|[^\s&;"']+""")
_SECRET = re.compile(
    r"password$|passwd$|passphrase$|pwd$|secret|credentials?$|[-_.]token$|authtoken$"
    r"|(access|account|api|private|shared|storage|encryption|master)[-_.]?key"
    r"|sharedaccesssignature$|^x-amz-signature$",
    re.IGNORECASE,
)
# These names mean secrets only in the query of a URI. Elsewhere `signature` is tfspark's option,
# `token` an input of language models, and `/key=5/` a folder of a partitioned table.
_SECRET_IN_QUERY = re.compile(r"key|sig|signature|sas|token|code|auth", re.IGNORECASE)
_AUTHORIZATION = re.compile(
    r"""(authorization["']?\s?[:=]\s?["']?(?:(?:bearer|basic|negotiate)\s)?)[^\s"']+""",
    re.IGNORECASE,
)

# The authority of a URI up to its last `@`. A password that was not escaped may contain slashes;
# the text after the colon is then not a port. Azure's `container@account` is not a secret.
_USER = re.compile(
    r"""(?P<scheme>abfss?|wasbs?)?://"""
    r"""(?P<user>[^\s/?#'"<>]{0,512}"""
    r"""|[^\s/?#'"<>@:]{1,256}:(?!\d{1,5}(?:[/?#\s'",;)]|$))[^\s'"<>]{0,512})@""",
    re.IGNORECASE,
)
_ORACLE_USER = re.compile(r"(jdbc:oracle:\w{1,32}:)[^\s@]{1,512}@", re.IGNORECASE)


def escaped(text: str, *, keep: str = "") -> str:
    r"""Write control characters as `\x1b` or `\u202e`, except those in `keep`."""
    return _CONTROL.sub(lambda found: _escape(found[0], keep), text)


def redacted(text: str) -> str:
    """Mask the secrets of URIs, of connection strings and of settings; hosts and paths stay."""
    text = _AUTHORIZATION.sub(rf"\g<1>{MASK}", _without_values(text))
    text = _USER.sub(_without_user, text)
    return _ORACLE_USER.sub(rf"\g<1>{MASK}@", text)


def one_line(text: object) -> str:
    """Return a name, a path or a message from outside, made safe as part of one line."""
    return escaped(redacted(str(text)))


def lines(text: object) -> str:
    """Return a message with its line breaks; every other control character is escaped."""
    return escaped(redacted(str(text)), keep="\n")


def quoted_lines(text: object) -> str:
    """Return text from outside, indented after its first line so that it cannot imitate ours."""
    return _LINE_BREAK.sub(_INDENTED, lines(text))


def _escape(character: str, keep: str) -> str:
    if character in keep:
        return character
    number = ord(character)
    return _NAMED.get(character) or (f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")


def _without_values(text: str) -> str:
    parts, done = [], 0
    for name in _NAME.finditer(text):
        if name.start() < done or not _is_secret(text, name):
            continue
        if value := _VALUE.match(text, name.end()):
            parts += [text[done : name.end()], MASK]
            done = value.end()
    return "".join([*parts, text[done:]])


def _is_secret(text: str, name: re.Match[str]) -> bool:
    in_query = name.start() > 0 and text[name.start() - 1] in "?&;"
    return bool(_SECRET.search(name[1]) or (in_query and _SECRET_IN_QUERY.fullmatch(name[1])))


def _without_user(found: re.Match[str]) -> str:
    is_container = found["scheme"] and ":" not in found["user"]
    return found[0] if is_container else f"{found['scheme'] or ''}://{MASK}@"
