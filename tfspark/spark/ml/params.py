"""The Params of the Transformer: the options of `predict` in camelCase. Driver.

A pipeline is saved as JSON, so a param holds only plain values: texts, numbers, lists and dicts.
The values are checked when a frame or a schema is scored, because some of them depend on others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import numpy as np
from pyspark.ml.param import Param, Params, TypeConverters

from tfspark.errors import UsageError, did_you_mean, explain
from tfspark.options import (
    DEFAULTS,
    AnyEngine,
    Distribute,
    OnError,
    OnNull,
    ScoreOptions,
    Strings,
)
from tfspark.signature import OutputShapes

_Self = TypeVar("_Self", bound="SavedModelParams")

# Params that are not options of scoring.
_OTHERS = ("model", "feed", "fetch", "keep", "copyModel")


class ParamKeywords(TypedDict, total=False):
    """The Params of `SavedModelTransformer`; see `SavedModelParams`."""

    model: str | Path
    feed: Mapping[str, object]
    fetch: Mapping[str, str]
    keep: Sequence[str]
    copyModel: bool
    version: int
    signature: str
    tags: Sequence[str]
    batchSize: int
    engine: AnyEngine
    distribute: Distribute
    onNull: OnNull
    outputShapes: OutputShapes
    sha256: str
    allowOps: Sequence[str]
    strings: Strings
    narrow: bool
    onError: OnError
    reason: str
    timeout: float


def plain(value: object) -> Any:
    """Return a value in the form that JSON keeps: tuples become lists, NumPy numbers Python's.

    Raises:
        UsageError: When JSON has no such value.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    raise UsageError(
        explain(
            "A param of a Transformer must be a value that JSON can hold.",
            expected="texts, numbers, and lists or dicts of them",
            found=repr(value),
            hint="for a Column expression, put a SQLTransformer before this stage, or use "
            "tfspark.predict.",
        )
    )


def _param(name: str, doc: str, convert: Callable[[Any], Any] = plain) -> Param[Any]:
    return Param(Params._dummy(), name, doc, convert)


def _with_accessors(cls: type[_Self]) -> type[_Self]:
    """Add `getX` and `setX` for each param, as Spark's own stages have."""
    for name in ParamKeywords.__annotations__:

        def get(self: _Self, name: str = name) -> Any:
            return self.getOrDefault(name) if self.isDefined(name) else None

        def put(self: _Self, value: Any, name: str = name) -> _Self:
            return self.setParams(**{name: value})

        end = name[0].upper() + name[1:]
        get.__doc__, put.__doc__ = f"Return the param `{name}`.", f"Set the param `{name}`."
        setattr(cls, f"get{end}", get)
        setattr(cls, f"set{end}", put)
    return cls


@_with_accessors
class SavedModelParams(Params):
    """The Params of a model and of its scoring, with `getX` and `setX` for each of them."""

    model = _param("model", "path or URI of the model: an export dir or a base path")
    feed = _param("feed", "dict {input: column, field of a struct, list of them, or constant}")
    fetch = _param("fetch", "dict {output: new column}; by default every output")
    keep = _param("keep", "columns to keep beside the predictions; by default all")
    copyModel = _param(
        "copyModel",
        "whether save() copies the model; otherwise the saved stage has its path and digest",
        TypeConverters.toBoolean,
    )
    version = _param("version", "version folder of the model; by default the newest")
    signature = _param("signature", "signature to call; by default serving_default")
    tags = _param("tags", "tag set of the graph")
    batchSize = _param("batchSize", "rows per call of the model")
    engine = _param("engine", "auto, native, tensorflow, openvino, fastest or jvm")
    distribute = _param("distribute", "auto, broadcast, archive or path")
    onNull = _param("onNull", "null, error, a number, or dict {input: value}")
    outputShapes = _param("outputShapes", "dict {output: shape of one row}")
    sha256 = _param("sha256", "digest that the model must have")
    allowOps = _param("allowOps", "operations that the model may contain")
    strings = _param("strings", "type of string outputs: string or binary")
    narrow = _param("narrow", "whether numbers with fractions may feed integers")
    onError = _param("onError", "raise or null, for a row that cannot be scored")
    reason = _param("reason", "column for the reason of each bad row")
    timeout = _param("timeout", "seconds for the model to load, and to answer each call")

    def __init__(self) -> None:
        super().__init__()
        defaults = {camel(name): plain(value) for name, value in vars(DEFAULTS).items()}
        set_ones = {name: value for name, value in defaults.items() if value is not None}
        self._setDefault(copyModel=True, **set_ones)

    def setParams(self: _Self, **params: Any) -> _Self:
        """Set params by name; `None` clears a param.

        Raises:
            UsageError: When a param does not exist or does not accept its value.
        """
        known = ParamKeywords.__annotations__
        for name, value in params.items():
            if name not in known:
                problem = f"There is no param {name!r}.{did_you_mean(name, known)}"
                raise UsageError(explain(problem, expected=", ".join(known), found=name))
            self.clear(self.getParam(name)) if value is None else self._set(**{name: value})
        return self

    @property
    def options(self) -> ScoreOptions:
        """The options of scoring.

        Raises:
            UsageError: When a param does not accept its value.
        """
        names = [name for name in ParamKeywords.__annotations__ if name not in _OTHERS]
        return ScoreOptions(**{snake(name): self._value(name) for name in names if self._has(name)})

    def _has(self, name: str) -> bool:
        return bool(self.isDefined(name))

    def _value(self, name: str) -> Any:
        """Return a param; `None` when it has no value."""
        return self.getOrDefault(name) if self._has(name) else None


def camel(name: str) -> str:
    """Return the param of an option: `batch_size` → `batchSize`."""
    return re.sub("_([a-z])", lambda match: match[1].upper(), name)


def snake(name: str) -> str:
    """Return the option of a param: `batchSize` → `batch_size`."""
    return re.sub("([A-Z])", lambda match: "_" + match[1].lower(), name)
