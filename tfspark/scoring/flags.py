"""The flags of the job programs, each declared once, with the text of `jobs/README.md`. Driver.

Each program adds its flags to its parser. This module imports neither pyspark nor TensorFlow nor
Arrow, so that `--help` is fast.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tfspark.options import DEFAULTS, DISTRIBUTE_WORDS, NULL_WORDS, STRING_TYPES, WORKER_ENGINES
from tfspark.scoring import arguments
from tfspark.scoring.job_parser import ByName, one_of

# The help says this once instead of for each flag.
REPEATED = "A flag whose value contains = can be given several times, once for each name."

_FORMATS = ("parquet", "csv", "json", "orc", "avro", "tfrecord")


@dataclass(frozen=True)
class Flag:
    """One flag of a command line.

    Attributes:
        name: Name with its dashes.
        value: Its value in the help: empty for a switch, `a|b|c` for one of these words,
            `NAME=VALUE` for a flag that may be given once for each name.
        meaning: One sentence, with the default.
        read: Parses a value; words are checked without it.
        default: The value if the flag is not given.
        required: Whether it must be given.
    """

    name: str
    value: str
    meaning: str
    read: Callable[[str], Any] = str
    default: Any = None
    required: bool = False

    def with_value(self, value: str, read: Callable[[str], Any] | None = None) -> Flag:
        """Return the same flag for a program that takes another value."""
        return replace(self, value=value, read=read or self.read)

    @property
    def is_repeatable(self) -> bool:
        """Whether the flag collects pairs in a dict."""
        return "=" in self.value

    def add_to(self, flags: arguments.Flags) -> None:
        """Add the flag to a parser, or to a group of one."""
        words = self.value.split("|") if "|" in self.value else []
        options: dict[str, Any] = {"help": self.meaning.replace("%", "%%")}
        if not self.value:
            options["action"] = "store_true"
        else:
            options |= {
                "metavar": self.value,
                "type": one_of(*words) if words else self.read,
                "default": {} if self.is_repeatable else self.default,
            }
        if self.is_repeatable:
            options["action"] = ByName
        if self.required:
            options["required"] = True
        flags.add_argument(self.name, **options)


def add(flags: arguments.Flags, *wanted: Flag) -> None:
    """Add flags to a parser, or to a group of one."""
    for flag in wanted:
        flag.add_to(flags)


def _choice(name: str, words: Sequence[str], meaning: str, default: Any) -> Flag:
    """Return a flag that takes one of some words."""
    return Flag(name, "|".join(words), f"{meaning} (default: {default})", default=default)


def add_output(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add the flags of the output."""
    group = parser.add_argument_group("output")
    add(group.add_mutually_exclusive_group(required=required), OUTPUT, OUTPUT_TABLE)
    add(group, OUTPUT_FORMAT, OUTPUT_OPTION, PARTITION_BY, MODE, REPORT)


# --- model ----------------------------------------------------------------------------------------

MODEL = Flag("--model", "DIR", "export dir or base path of the model, as a path or URI")
MODELS = Flag(
    "--models",
    "KEY=DIR",
    "several models that score the same rows, each with a key; the new columns of a model begin "
    "with its key and _",
    arguments.pair,
)
DIFFERENCE = Flag(
    "--difference",
    "",
    "add the difference of two models: a column difference_OUTPUT for each output of numbers that "
    "both have, the second model minus the first",
)
REGISTER = Flag(
    "--register",
    "NAME=MODEL",
    "SQL name of a model, and its export dir, base path or URI",
    arguments.pair,
    required=True,
)
VERSION = Flag("--version", "NUMBER", "version folder (default: the newest)", arguments.positive)
SIGNATURE = Flag("--signature", "NAME", "signature of the model (default: serving_default)")
TAGS = Flag(
    "--tags",
    "TAG[,TAG…]",
    f"tag set of the graph (default: {','.join(DEFAULTS.tags)})",
    arguments.names,
    DEFAULTS.tags,
)
MODEL_SHA256 = Flag(
    "--model-sha256",
    "DIGEST",
    "digest that the model must have; a model with another digest is refused",
)
ALLOW_OPS = Flag(
    "--allow-ops",
    "OP[,OP…]",
    "operations that the model may contain although they touch files, the network, other "
    "processes or Python, such as ReadFile (default: none)",
    arguments.names,
    DEFAULTS.allow_ops,
)
OUTPUT_SHAPE = Flag(
    "--output-shape",
    "OUTPUT=[SIZE,…]",
    "shape of one row of an output of unknown rank: y= is one number, "
    "y=3,None an array of 3 arrays of any length",
    arguments.row_shape,
)
ENGINE = _choice("--engine", WORKER_ENGINES, "engine that runs the model", DEFAULTS.engine)
DISTRIBUTE = _choice(
    "--distribute", DISTRIBUTE_WORDS, "how the model reaches the workers", DEFAULTS.distribute
)
BATCH_SIZE = Flag(
    "--batch-size",
    "ROWS",
    "rows per call of the model (default: as many as run fastest)",
    arguments.positive,
)
TIMEOUT = Flag(
    "--timeout",
    "SECONDS",
    "time limit to load the model, and for each batch; the worker of a slower model is ended, and "
    "its task runs again; 0 means no limit (default: 600)",
    arguments.seconds,
    600.0,
)

# --- columns --------------------------------------------------------------------------------------

FEED = Flag(
    "--feed",
    "INPUT=COLUMN[,COLUMN…]",
    "column that feeds an input, or scalar columns that are stacked (default: by name)",
    arguments.feed_pair,
)
CONSTANT = Flag(
    "--constant",
    "INPUT=VALUE",
    "a value that feeds an input in every row, such as k=3",
    arguments.pair_or_empty,
)
FETCH = Flag(
    "--fetch",
    "OUTPUT=COLUMN",
    "which outputs become which columns (default: all, under their names)",
    arguments.pair,
)
KEEP = Flag(
    "--keep",
    "COLUMN[,COLUMN…]",
    "input columns to write beside the predictions (default: all)",
    arguments.names,
)
NARROW = Flag(
    "--narrow",
    "",
    "let double, float or decimal columns feed an input of integers; a row whose value has a "
    "fraction is then a bad row",
)
STRINGS = _choice("--strings", STRING_TYPES, "Spark type of outputs of strings", DEFAULTS.strings)
ON_NULL = _choice(
    "--on-null",
    NULL_WORDS,
    "result of a row with a null in an input: null, or error: the row is a bad row",
    DEFAULTS.on_null,
)
FILL_NULL = Flag(
    "--fill-null",
    "INPUT=VALUE",
    "value that replaces null in an input, such as Age=nan or Cabin=",
    arguments.pair_or_empty,
)

# --- input ----------------------------------------------------------------------------------------

QUERY = Flag(
    "--query",
    "SQL",
    "statements, separated by semicolons; the result of the last one is shown or written",
)
FILE = Flag("--file", "PATH", "file of statements, separated by ;")
INPUT = Flag("--input", "PATH", "path, glob or URI to read")
INPUT_TABLE = Flag("--input-table", "TABLE", "table or view to read, also from Hive")
INPUT_FORMAT = _choice(
    "--input-format",
    (*_FORMATS[:-1], "binaryFile", "tfrecord", "delta", "iceberg"),
    "format of the input; csv has a header line, and its types are inferred from the data; a "
    "broken record of csv or json ends the job, unless --option says otherwise; binaryFile has the "
    "columns path, modificationTime, length, content",
    "parquet",
)
OPTION = Flag(
    "--option",
    "K=V",
    "option of Spark's reader, such as mode=PERMISSIVE",
    arguments.option,
)
ALLOW_MISSING = Flag(
    "--allow-missing",
    "",
    "give null for a column that a Parquet or ORC file lacks (default: refuse the file)",
)

# --- output ---------------------------------------------------------------------------------------

OUTPUT = Flag("--output", "PATH", "folder to write, as a path or URI")
OUTPUT_TABLE = Flag("--output-table", "TABLE", "table to write, such as db.scores")
OUTPUT_FORMAT = _choice("--output-format", _FORMATS, "format of the output", "parquet")
OUTPUT_OPTION = Flag("--output-option", "K=V", "option of Spark's writer", arguments.option)
PARTITION_BY = Flag(
    "--partition-by",
    "COLUMN[,COLUMN…]",
    "columns that partition the output into folders",
    arguments.names,
    [],
)
MODE = _choice(
    "--mode",
    ("error", "overwrite", "append", "overwrite-partitions"),
    "what to do when the output exists",
    "error",
)
REPORT = Flag(
    "--report",
    "PATH",
    "path of the JSON report (default: _tfspark_report_RUN.json in the output folder, or in "
    "the working directory for a table)",
)
BAD_ROWS = Flag(
    "--bad-rows",
    "PATH",
    "folder for rows that cannot be scored, as Parquet with the columns of the input, _reason and "
    "_input_file (default: the first bad row ends the job)",
)
MAX_BAD_ROWS = Flag(
    "--max-bad-rows",
    "N[%]",
    "largest number or share of bad rows: with more, the job fails and publishes "
    "nothing (default: 100%)",
    arguments.limit,
)
PATH = _choice(
    "--path",
    ("auto", "spark", "direct"),
    "how rows are read and written: spark uses its readers and writers; with direct, the tasks "
    "read and write the files; auto takes the fastest way that gives the same result",
    "auto",
)
CHUNKS = Flag(
    "--chunks",
    "N",
    "minimum number of groups into which the work is divided; if the job is killed, its finished "
    "groups are kept, and the same command does not score them again; through Spark, a group "
    "is a set of input files; on the direct path, it is a wave of tasks (default: 1)",
    arguments.positive,
    1,
)
RUN_ID = Flag(
    "--run-id",
    "KEY",
    "key of your choice for this run; if the output has the key marked as done, nothing is run "
    "(default: none)",
    default="",
)
DRY_RUN = Flag("--dry-run", "", "check everything, print the plan, stop")
