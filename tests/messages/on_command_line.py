"""The usual mistakes on the command lines of the batch job, the SQL job and `tfspark`."""

from __future__ import annotations

from tests.messages.mistake import command

PARSED = "--model linear_model --input {here}/points.parquet --output {out} "
POINTS = "--model linear_model --input-table points --output {out} "
MINUS = "--model minus --input-table points --output {out} "

# Spark has another working directory, so files are named by `{here}` and `{out}`.

# Refused before a session is opened: exit code 2.
USAGE = (
    command("no flags", "", 2, "--model", "usage:"),
    command("no input", "--model linear_model --output {out}", 2, "--input --input-table"),
    command("no output", "--model linear_model --input i", 2, "--output --output-table"),
    command(
        "a mistyped flag", PARSED + "--ouput x", 2, "no flag --ouput", "Did you mean '--output'?"
    ),
    command(
        "an abbreviated flag",
        PARSED + "--fill-nul a=1",
        2,
        "no flag --fill-nul",
        "Did you mean '--fill-null'?",
    ),
    command("an abbreviated switch", PARSED + "--dry", 2, "--dry", "--dry-run"),
    command("a key of an unset variable", PARSED + "--run-id ''", 2, "--run-id", "leave the flag"),
    command("a model of an unset variable", "--model ''", 2, "--model", "give a value"),
    command("a pin of an unset variable", PARSED + "--model-sha256=", 2, "--model-sha256", "empty"),
    command("values without commas", PARSED + "--keep id word", 2, "--keep", "with commas"),
    command("two inputs", PARSED + "--input other", 2, "--input", "twice"),
    command("two models", PARSED + "--model other", 2, "--model", "twice"),
    command("a feed without a column", PARSED + "--feed inputs", 2, "--feed", "NAME=VALUE"),
    command("a feed with a gap", PARSED + "--feed x=a,,b", 2, "--feed", "COLUMN[,COLUMN…]"),
    command("an input fed twice", PARSED + "--feed a=b --feed a=c", 2, "'a' is given twice"),
    command("a batch of no rows", PARSED + "--batch-size 0", 2, "--batch-size", "at least 1"),
    command("a version in words", PARSED + "--version one", 2, "--version", "'one'"),
    command("a mode of another tool", PARSED + "--mode replace", 2, "'replace'", "overwrite"),
    command("a format of another tool", PARSED + "--input-format xml", 2, "'xml'", "parquet"),
    command("a mistyped engine", PARSED + "--engine nativ", 2, "'nativ'", "native"),
    command("an option without a value", PARSED + "--option header", 2, "--option", "NAME="),
    command("a constant without a value", PARSED + "--constant k", 2, "--constant", "NAME=VALUE"),
    command(
        "a shape in words", PARSED + "--output-shape y=three", 2, "--output-shape", "'y=three'"
    ),
)

# Refused before a row is scored, with the flags that help.
BEFORE = (
    command(
        "a relative path of a model that is not there",
        "--model liner_model --input {here}/points.parquet --output {out}",
        65,
        "There is no model folder",
        "working directory",
        "'linear_model'",
    ),
    command(
        "a Keras file",
        "--model model.keras --input {here}/points.parquet --output {out}",
        65,
        "Keras",
        ".export('",
    ),
    command(
        "an MLflow URI",
        "--model models:/m/1 --input {here}/points.parquet --output {out}",
        65,
        "MLflow",
    ),
    command("a version that is not there", PARSED + "--version 9", 65, "no version 9"),
    command("another signature", PARSED + "--signature x", 65, "'x'", "--signature"),
    command("another tag set", PARSED + "--tags gpu", 65, "'gpu'", "'serve'", "--tags"),
    command(
        "an input that is not there",
        "--model linear_model --input {here}/point.parquet --output {out}",
        66,
        "There is no input",
        "point.parquet",
        "points.parquet",
    ),
    command(
        "a table that is not there",
        "--model linear_model --input-table pionts --output {out}",
        66,
        "There is no input: table pionts",
    ),
    command(
        "a folder without files",
        "--model linear_model --input {here}/no_rows --output {out}",
        66,
        "There is no input",
        "no_rows",
    ),
    command(
        "an output that is there",
        "--model linear_model --input {here}/points.parquet --output {here}/there",
        73,
        "there",
        "--mode",
    ),
    command(
        "a folder of Delta",
        "--model linear_model --input {here}/deltas --output {out}",
        65,
        "is a Delta table",
        "--input-table",
    ),
    command(
        "a mistyped column",
        POINTS + "--feed inputs=feature",
        65,
        "there is no column 'feature'. Did you mean 'features'?",
        "--feed inputs=COLUMN",
    ),
    command(
        "a mistyped input",
        POINTS + "--feed input=features",
        65,
        "feed names 'input'",
        "Did you mean 'inputs'?",
    ),
    command(
        "a mistyped output",
        POINTS + "--feed inputs=features --fetch output=y",
        65,
        "fetch names 'output'",
        "Did you mean 'outputs'?",
    ),
    command(
        "a column to keep that is not there",
        POINTS + "--feed inputs=features --keep idd",
        65,
        "no column 'idd'. Did you mean 'id'?",
    ),
    command(
        "a prediction named like a column",
        POINTS + "--feed inputs=features --fetch outputs=id",
        65,
        "there is already a column 'id'",
        "--fetch outputs=",
    ),
    command("text for numbers", MINUS + "--feed b=word", 65, "column 'word' of string", "try_cast"),
    command("a date for a number", MINUS + "--feed b=day", 65, "column 'day' of date", "unix_date"),
    command(
        "doubles for integers",
        "--model ints --input-table points --output {out} --feed a=x0 --feed b=x1",
        65,
        "2 mismatches",
        "column 'x0' of double",
        "--narrow",
    ),
    command(
        "a scalar without a value",
        "--model top --input-table points --output {out} --feed x=four",
        65,
        "input k: int32 ()",
        "--constant k=VALUE",
    ),
    command(
        "a constant of another type",
        "--model top --input-table points --output {out} --feed x=four --constant k=many",
        65,
        "input k: int32 ()",
        "'many'",
    ),
    command(
        "an output of unknown rank",
        "--model open --input-table points --output {out} --feed x=four",
        65,
        "output y: float32 unknown rank",
        "--output-shape y=",
    ),
    command(
        "an output that is not one per row",
        "--model labels --input-table points --output {out} --feed x=three",
        65,
        "output labels: string (3,)",
        "--fetch",
    ),
    command(
        "a fill of an input that is not there",
        POINTS + "--feed inputs=features --fill-null input=0",
        2,
        "'input'",
        "Did you mean 'inputs'?",
    ),
    command(
        "a name that no table can have",
        "--model linear_model --input {here}/points.parquet --output-table a.b.c.d",
        2,
        "There is no catalog 'a' for the table a.b.c.d",
        "a name such as db.scores",
    ),
    command(
        "a direct path for a table", POINTS + "--feed inputs=features --path direct", 2, "--path"
    ),
)

# Mistakes that only the rows or files show: the file, the row, exit code 65, and no output.
DURING = (
    command(
        "a row of another length",
        "--model linear_model --input {here}/ragged.parquet --output {out} --path direct",
        65,
        "ragged.parquet",
        "column 'features', row 1",
        "expected a row of shape (2,), found (1,)",
        "'id': 5",
    ),
    command(
        "a row of another length, through Spark",
        "--model linear_model --input {here}/ragged.parquet --output {out} --path spark",
        65,
        "column 'features', row 1",
        "'id': 5",
    ),
    command(
        "a null where none may be",
        POINTS + "--feed inputs=hole --keep id --on-null error",
        65,
        "column 'hole', row 0",
        "--on-null",
        "'id': 7",
    ),
    command(
        "bytes that are no text",
        "--model words --input-table points --output {out} --feed words=bytes --keep id",
        65,
        "are not UTF-8",
        "--strings binary",
    ),
    command(
        "a model for another machine",
        "--model nccl --input-table points --output {out} --feed x=a",
        65,
        "NcclAllReduce",
    ),
    command(
        "a truncated file",
        "--model linear_model --input {here}/cut.parquet --output {out}",
        65,
        "cut.parquet",
    ),
    command(
        "text named .parquet",
        "--model linear_model --input {here}/text.parquet --output {out}",
        65,
        "text.parquet",
    ),
    command(
        "a line with a field too many",
        "--model linear_model --input {here}/broken.csv --input-format csv --output {out} "
        "--feed inputs=x0,x1",
        65,
        "broken.csv",
    ),
    command(
        "a broken line of JSON",
        "--model linear_model --input {here}/broken.json --input-format json --output {out} "
        "--feed inputs=x0,x1",
        65,
        "broken.json",
    ),
)

QUERY = "--register f=minus --query "

# The flags of `sql_score.py`; a query is in quotes.
SQL_JOB = (
    command("no model", "--query 'SELECT 1'", 2, "--register"),
    command("no query", "--register f=minus", 2, "--query --file"),
    command("a model without a name", "--register minus --query x", 2, "NAME=VALUE", "'minus'"),
    command("a mistyped flag of the SQL job", QUERY + "x --narow", 2, "--narow", "--narrow"),
    command(
        "a model that is not there, for SQL",
        "--register f=mnius --query 'SELECT 1'",
        65,
        "There is no model folder",
        "'minus'",
    ),
    command("a file that is not there", "--register f=minus --file q.sql", 66, "q.sql", "--file"),
    command("no statement", QUERY + "'-- nothing'", 2, "There is no SQL statement"),
    command(
        "a table that SQL does not know", QUERY + "'SELECT f(a, b) FROM nowhere'", 66, "`nowhere`"
    ),
    command("a broken statement", QUERY + "'SELEC 1'", 65, "SELEC"),
    command("a name that SQL has", "--register sum=minus --query 'SELECT 1'", 2, "'sum'"),
    command(
        "a function of another name",
        QUERY + "'SELECT g(a, b) FROM points'",
        65,
        "`g`",
    ),
    command(
        "an argument too few",
        QUERY + "'SELECT f(a, b, x0) FROM points'",
        65,
        "takes another number of arguments",
        "in this order: a, b",
    ),
    command(
        "text for numbers in SQL",
        QUERY + "'SELECT f(a, word) FROM points'",
        65,
        "input b: float32 (None,)",
        "of string",
        "try_cast",
    ),
    command(
        "a date for a number in SQL",
        QUERY + "'SELECT f(a, day) FROM points'",
        65,
        "input b: float32 (None,)",
        "of date",
        "unix_date",
    ),
    command(
        "doubles for integers in SQL",
        "--register f=ints --query 'SELECT f(x0, x1) FROM points'",
        65,
        "2 mismatches",
        "of double",
        "CAST",
        "--narrow",
    ),
    command(
        "a struct without an input",
        QUERY + "'SELECT f(struct(a, x0)) FROM points'",
        65,
        "input b: float32 (None,)",
    ),
    command(
        "a row of another length in SQL",
        "--register f=linear_model --query 'SELECT f(three) FROM points'",
        65,
        "model linear_model version 1",
        "row 0",
        "expected a row of shape (2,), found (3,)",
    ),
    command(
        "a command where rows are to be written",
        QUERY + "'CREATE TEMPORARY VIEW v AS SELECT 1' --output {out}",
        2,
        "returns no rows to write",
        "put the query last",
    ),
)

SCORE = "score --model linear_model --input points.parquet --output {out} "

# Commands of `tfspark` in the folder of the user. Spark does not start.
WITHOUT_SPARK = (
    command("a mistyped command", "scor", 2, "no command scor", "Did you mean 'score'?"),
    command("a command of another tool", "predict x", 2, "no command predict", "tfspark --help"),
    command("no flags of a command", "score", 2, "usage: tfspark score", "--model"),
    command("a mistyped flag of a command", SCORE + "--ouput x", 2, "Did you mean '--output'?"),
    command("an option of spark-submit", SCORE + "--jars x", 2, "--conf spark.jars=…"),
    command("Spark Connect", SCORE + "--remote sc://host", 2, "classic session", "tfspark.predict"),
    command("a setting without a value", SCORE + "--conf spark.ui.enabled", 2, "--conf", "NAME="),
    command("another format of the log", SCORE + "--log-format xml", 2, "'xml'", "json"),
    command("no configuration", SCORE + "--config no.toml", 2, "--config", "no.toml", "No such"),
    command(
        "a mistyped key of the configuration",
        SCORE + "--config mistyped.toml",
        2,
        "mistyped.toml: there is no setting 'bach-size'",
        "Did you mean 'batch-size'?",
    ),
    command(
        "a wrong value in the configuration",
        SCORE + "--config wrong.toml",
        2,
        "argument --mode",
        "(from wrong.toml)",
    ),
    command(
        "a model that is not there",
        "score --model liner_model --input points.parquet --output {out}",
        65,
        "There is no model folder",
        "'linear_model'",
    ),
    command("a Keras file", SCORE.replace("linear_model", "model.keras"), 65, ".export('"),
    command("a truncated model", SCORE.replace("linear_model", "truncated"), 65, "cut off"),
    command("another signature", SCORE + "--signature serve", 65, "'serve'", "--signature"),
    command("another digest", SCORE + "--model-sha256 " + "0" * 64, 65, "digest"),
    command(
        "an input fed twice over",
        SCORE + "--feed inputs=features --constant inputs=1",
        2,
        "both a column and a constant",
    ),
    command("a limit without a place", SCORE + "--max-bad-rows 1", 2, "add --bad-rows PATH"),
    command(
        "an input that is not there",
        "score --model linear_model --input point.parquet --output {out}",
        66,
        "There is no input",
        "Did you mean 'points.parquet'?",
        "relative path begins at",
    ),
    command(
        "an output that is there",
        "score --model linear_model --input points.parquet --output there",
        73,
        "The output already exists",
        "--mode overwrite",
    ),
    command("a truncated file", SCORE.replace("points", "cut"), 65, "cut.parquet"),
    command(
        "text named .parquet",
        SCORE.replace("points", "text"),
        65,
        "text.parquet",
        "Hint: write the file again",
    ),
    command(
        "a CSV file without its format",
        SCORE.replace("points.parquet", "points.csv"),
        65,
        "cannot be read as parquet",
        "Hint: it has the name of a csv file: add --input-format csv.",
    ),
    command(
        "a mistyped column",
        SCORE + "--feed inputs=feature",
        65,
        "no column 'feature'. Did you mean 'features'?",
        "--feed inputs=COLUMN",
    ),
    command("a mistyped input", SCORE + "--feed input=features", 65, "Did you mean 'inputs'?"),
    command("a mistyped output", SCORE + "--fetch output=y", 65, "Did you mean 'outputs'?"),
    command("a column to keep", SCORE + "--keep feature", 65, "Did you mean 'features'?"),
    command(
        "a prediction named like a column",
        SCORE + "--fetch outputs=features",
        65,
        "there is already a column 'features'",
    ),
    command("no model of a query", "sql --query x", 2, "--register"),
    command(
        "no model at the path of a query",
        "sql --register f=mnius --query x",
        65,
        "There is no model folder",
        "'minus'",
    ),
    command("a truncated model of a query", "sql --register f=truncated --query x", 65, "cut off"),
    command("a query without its file", "sql --register f=minus --file q.sql", 66, "q.sql"),
    command("a fill for no model", "sql --register f=m --query x --fill-null g.a=1", 2, "'g.a'"),
    command("no model to inspect", "inspect", 2, "MODEL"),
    command("a file to inspect", "inspect model.h5", 65, "HDF5", ".export('"),
    command("a version to inspect", "inspect linear_model --version 9", 65, "no version 9"),
    command("no model to lint", "lint liner_model", 65, "'linear_model'"),
    command("an abbreviated flag of lint", "lint minus --allow Op", 2, "'--allow-ops'"),
    command("no model for the doctor", "doctor liner_model", 65, "no model", "'linear_model'"),
    command("a truncated model for the doctor", "doctor truncated", 65, "cut off"),
    command("another signature for the doctor", "doctor minus --signature s", 65, "--signature"),
    command("a mistyped engine of the doctor", "doctor --engine nativ", 2, "'native'"),
    command("two sessions", "doctor --master local --remote sc://h", 2, "not allowed with"),
    command("no rows to time", "bench linear_model --rows 0", 2, "--rows", "at least 1"),
    command("no output to recover", "recover", 2, "OUTPUT"),
    command("an output of an unset variable", "recover ''", 2, "OUTPUT: the value", "give a value"),
    command("a report of an unset variable", "report ''", 2, "REPORT.json: the value is empty"),
    command("a file of an unset variable", "sql --file ''", 2, "--file: the value is empty"),
    command("a file for the demo", "demo points.csv", 2, "points.csv cannot be written"),
    command(
        "no report",
        "report none.json",
        66,
        "none.json cannot be read",
        "No such file",
        "_tfspark_report_RUN.json",
    ),
    command(
        "another file for a report",
        "report points.parquet",
        65,
        "is not a report",
        "expected:",
        "not JSON",
        "_tfspark_report_RUN.json",
    ),
    command("another shell", "completion fish", 2, "'fish'", "bash"),
)
