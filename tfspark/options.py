"""All options of scoring with their defaults, for every API and job. Driver and executor.

The driver makes a `ScoreOptions` from the keywords or flags of its caller, and sends it to the
workers. The jobs read its defaults for `--help`, so this module imports neither Arrow nor Spark.

Invariants: frozen and picklable; the options are checked when a `ScoreOptions` is made. Values that
depend on a model or a session, such as the names of inputs, are checked where these are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, get_args

from tfspark.errors import UsageError, did_you_mean, explain, listing

if TYPE_CHECKING:
    from tfspark.signature import OutputShapes

# The engines of Python workers; `tfspark.engine.registry` has one entry for each except `auto`.
EngineName: TypeAlias = Literal["auto", "native", "tensorflow", "openvino"]
# `fastest` times these engines on some rows of the input and uses the fastest one; `jvm` is the
# Scala bridge, which scores without a Python worker.
AnyEngine: TypeAlias = Literal[EngineName, "fastest", "jvm"]
Distribute: TypeAlias = Literal["auto", "broadcast", "archive", "path"]
NullWord: TypeAlias = Literal["null", "error"]
OnNull: TypeAlias = NullWord | float | Mapping[str, Any]
OnError: TypeAlias = Literal["raise", "null"]
Strings: TypeAlias = Literal["string", "binary"]

# The signature that is called by default.
SERVING_DEFAULT = "serving_default"
WORKER_ENGINES: tuple[str, ...] = (*get_args(EngineName), "fastest")
ENGINES: tuple[str, ...] = get_args(AnyEngine)
DISTRIBUTE_WORDS: tuple[str, ...] = get_args(Distribute)
NULL_WORDS: tuple[str, ...] = get_args(NullWord)
ERROR_WORDS: tuple[str, ...] = get_args(OnError)
STRING_TYPES: tuple[str, ...] = get_args(Strings)


class ScoreKeywords(TypedDict, total=False):
    """The options of `predict_rdd`; see `ScoreOptions`."""

    version: int | None
    signature: str | None
    tags: Sequence[str]
    batch_size: int | None
    engine: AnyEngine
    distribute: Distribute
    on_null: OnNull
    output_shapes: OutputShapes | None
    sha256: str | None
    allow_ops: Sequence[str]
    strings: Strings
    on_error: OnError
    reason: str | None
    timeout: float | None


class ColumnKeywords(ScoreKeywords, total=False):
    """The options of `predict`, `predict_udf` and `register`, whose columns have types."""

    narrow: bool


@dataclass(frozen=True)
class ScoreOptions:
    """The options of `predict`, `predict_udf`, `predict_rdd`, `register` and the jobs.

    Attributes:
        version: Version folder of a model given by path; by default the newest.
        signature: Signature to call; by default `serving_default`.
        tags: Tag set of the graph; by default `serve`.
        batch_size: Rows per call of the model. By default, a call has at most 1 MiB of input and
            output and at most 131 072 rows, or up to 8 large rows, such as images, if these fit
            into 8 MiB. It has fewer rows if the model is faster with fewer; the first calls of a
            large model have few rows. On a GPU that Spark assigned to the task, a call has up to
            64 MiB if the model is faster with more.
        engine: Engine that runs the model: `auto` (the default), which takes `native` if it can
            serve the model, otherwise `tensorflow`; `native`; `tensorflow`; `openvino`, which needs
            no TensorFlow on the workers and runs fewer models; `fastest`, for `predict` and the
            batch job: a worker times the installed engines on the first rows, and the fastest one
            whose answers agree with TensorFlow's scores all rows; or `jvm`, the Scala bridge, which
            needs its jar.
        distribute: How the model reaches the workers: `broadcast`, `archive`, `path` (all workers
            can read the path), or `auto` (the default), which chooses by the session and the size
            of the model.
        on_null: What happens to a row with a null in an input: `null` (the default: its outputs are
            null), `error` (the scoring ends with an error that names the row), or the value that is
            fed instead of the null: one number for all inputs of numbers, or input → value.
        output_shapes: Output → shape of one row, without the batch dimension, for outputs whose
            rank the model does not give: `()` is one number, `None` a size that varies. Each batch
            is checked against it.
        sha256: The digest that the model must have, as `ModelPackage.digest` gives it; a model
            with another digest is refused before it is loaded.
        allow_ops: Operations that the model may contain although they touch files, the network,
            other processes or Python, such as `["ReadFile"]`; see `lint`.
        strings: Spark type of string outputs: `string` (the default) or `binary`; in an RDD, `str`
            or `bytes`.
        narrow: Allow columns of numbers that may have fractions (double, decimal) for an integer
            input; by default they are refused. A value with a fraction is then an error that names
            its row. `predict_rdd` always allows such columns.
        on_error: What happens to a bad row, which cannot be fed or which the model refuses: `raise`
            (the default) ends the scoring with an error that names it; `null` makes its outputs
            null.
        reason: A column for the reason of each bad row, with `on_error="null"`: a struct of `code`
            (one of `tfspark.rows.CODES`), `column` and `message`; null for a good row.
        timeout: Seconds that the model may take to load, and to answer each call; by default there
            is no limit. If it takes longer, the worker process writes the stacks of its threads to
            its standard error and ends. Spark then runs the task again.

    Raises:
        UsageError: When an option does not accept its value.
    """

    version: int | None = None
    signature: str | None = None
    tags: Sequence[str] = ("serve",)
    batch_size: int | None = None
    engine: AnyEngine = "auto"
    distribute: Distribute = "auto"
    on_null: OnNull = "null"
    output_shapes: OutputShapes | None = None
    sha256: str | None = None
    allow_ops: Sequence[str] = ()
    strings: Strings = "string"
    narrow: bool = False
    on_error: OnError = "raise"
    reason: str | None = None
    timeout: float | None = None

    def __post_init__(self) -> None:
        check_word("engine", self.engine, ENGINES)
        check_word("distribute", self.distribute, DISTRIBUTE_WORDS)
        check_word("strings", self.strings, STRING_TYPES)
        _check_operations(self.allow_ops)
        _check_on_null(self.on_null)
        check_batch_size(self.batch_size)
        _check_bad_rows(self.on_error, self.reason)
        _check_timeout(self.engine, self.timeout)

    @classmethod
    def of(
        cls, keywords: ScoreKeywords, known: type[ScoreKeywords] = ColumnKeywords
    ) -> ScoreOptions:
        """Return the options that a call gives as keywords.

        Raises:
            UsageError: When a keyword is not one of `known`, or does not take its value.
        """
        names = known.__annotations__
        for name in keywords.keys() - names.keys():
            problem = f"There is no option {name!r}.{did_you_mean(name, names)}"
            raise UsageError(explain(problem, expected=", ".join(names), found=name))
        return cls(**keywords)


def check_word(option: str, given: object, known: Sequence[str]) -> None:
    """Refuse a value that is not among the known ones.

    Raises:
        UsageError: Lists the known values.
    """
    if given not in known:
        problem = f"The option {option} does not accept {given!r}.{did_you_mean(str(given), known)}"
        raise UsageError(explain(problem, expected=listing(known), found=repr(given)))


def is_list_of_names(given: object) -> bool:
    """Whether this is a list of texts, and not one text."""
    if isinstance(given, str) or not isinstance(given, Sequence):
        return False
    return all(isinstance(name, str) for name in given)


def _check_operations(given: object) -> None:
    if not is_list_of_names(given):
        expected = 'a list of operations, such as ["ReadFile"]'
        problem = "The option allow_ops has an invalid value."
        raise UsageError(explain(problem, expected=expected, found=repr(given)))


def _check_on_null(given: object) -> None:
    """Refuse anything except a known word, a number, or a dict {input: value}."""
    if isinstance(given, Mapping):
        fits = all(isinstance(name, str) and value is not None for name, value in given.items())
    elif isinstance(given, str):
        fits = given in NULL_WORDS
    else:
        fits = isinstance(given, bool | int | float)
    if not fits:
        expected = f"{listing(NULL_WORDS)}, a number, or a dict {{input: value}}"
        near = did_you_mean(str(given), NULL_WORDS)
        problem = f"The option on_null does not accept {given!r}.{near}"
        raise UsageError(explain(problem, expected=expected, found=repr(given)))


def check_batch_size(given: object) -> None:
    """Refuse everything except `None` and whole numbers from 1.

    Raises:
        UsageError: It is something else.
    """
    if given is not None and not (isinstance(given, Integral) and int(given) >= 1):
        problem = "The batch size must be at least 1."
        raise UsageError(
            explain(problem, expected="a whole number, batch_size ≥ 1", found=repr(given))
        )


def _check_bad_rows(on_error: OnError, reason: object) -> None:
    """Refuse a wrong option, and a reason column without `on_error="null"`."""
    check_word("on_error", on_error, ERROR_WORDS)
    if reason is not None and not (isinstance(reason, str) and reason):
        problem = "The option reason has an invalid value."
        raise UsageError(explain(problem, expected="the name of a new column", found=repr(reason)))
    if reason is not None and on_error == "raise":
        problem = "There is no reason column if the first bad row ends the scoring."
        raise UsageError(explain(problem, found=f"reason={reason!r}", hint='add on_error="null".'))


def _check_timeout(engine: AnyEngine, given: object) -> None:
    """Refuse a wrong limit, and any limit for the bridge, which cannot end a call of a model."""
    if given is None:
        return
    if not isinstance(given, int | float) or isinstance(given, bool) or not 0 < given < inf:
        problem = "The option timeout has an invalid value."
        raise UsageError(explain(problem, expected="seconds, more than 0", found=repr(given)))
    if engine == "jvm":
        problem = "The Scala bridge cannot end a call of a model that takes too long."
        raise UsageError(explain(problem, found=f"timeout={given}", hint="leave out timeout."))


DEFAULTS = ScoreOptions()
