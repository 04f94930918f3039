"""Checks a job on local files before Spark starts: models, input, output and columns. Driver.

The user then sees a mistake within a second. These checks refuse only what the job would refuse.
If Spark may read an input differently, or its settings may matter, only the job checks it.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tfspark.cli import batch_score
from tfspark.cli.local_model import check_model
from tfspark.errors import InputNotFoundError, explain
from tfspark.scoring import arguments

if TYPE_CHECKING:
    import pyarrow as pa

    from tfspark.feeding import Feed

# If one of these is set, a path without a scheme may be on another file system.
_SETTINGS_OF_SPARK = ("HADOOP_CONF_DIR", "YARN_CONF_DIR", "SPARK_CONF_DIR", "SPARK_HOME")
_SCHEME_OR_GLOB = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*:|[*?\[\]{}]")


def check_local_files(args: argparse.Namespace, settings: Mapping[str, str]) -> None:
    """Refuse a missing model or input, an output that exists, and columns that do not fit.

    Args:
        args: The flags of `tfspark score`.
        settings: The settings of the session, with its master.

    Raises:
        TfsparkError: The error that the job would raise.
    """
    if not reads_this_machine(settings):
        return
    for model in batch_score.models_of(args):
        check_model(model, arguments.model_options(args), is_here=is_plain(model))
    if is_plain(args.output) and args.mode == "error":
        _check_output(args)
    if not is_plain(args.input):
        return
    path = Path(args.input)
    if not path.exists():
        raise _no_input(args)
    if args.input_format == "parquet" and not (args.option or args.allow_missing or args.bad_rows):
        schema = _schema_of(path)
        if schema is not None:
            _check_columns(args, schema)


def reads_this_machine(settings: Mapping[str, str]) -> bool:
    """Whether a local Spark takes a path without a scheme as a path of this machine."""
    is_changed = bool(settings.keys() - {"spark.master"})
    return not (is_changed or any(name in os.environ for name in _SETTINGS_OF_SPARK))


def is_plain(path: str | None) -> bool:
    """Whether a path has no scheme, and Spark does not take it as a glob."""
    return bool(path) and not _SCHEME_OR_GLOB.search(str(path))


def _check_output(args: argparse.Namespace) -> None:
    """Refuse an output that exists, unless a killed job may have left it."""
    from tfspark.scoring.output.places import Places
    from tfspark.scoring.output.protocol import already_there

    path = Path(args.output).resolve()
    if path.exists() and not Path(Places(str(path)).hidden).exists():
        raise already_there(f"{args.output_format} at {args.output}")


def _no_input(args: argparse.Namespace) -> InputNotFoundError:
    from tfspark.saved_model.other_formats import near_names

    path = Path(args.input)
    where = "" if path.is_absolute() else f" A relative path begins at {Path.cwd()}."
    near = near_names(path.absolute())
    return InputNotFoundError(
        explain(
            f"There is no input: {args.input_format} at {args.input}.",
            found=f"nothing at {path.absolute()}{f'; {near}' if near else ''}",
            hint=f"check the path or table name and the input format.{where}",
        )
    )


def _schema_of(path: Path) -> pa.Schema | None:
    """Return the columns of files that Spark reads like pyarrow; `None` for others.

    Raises:
        InvalidInputError: When a file is broken.
    """
    import pyarrow as pa
    from pyarrow import fs

    from tfspark.data_files.conform import nullable
    from tfspark.data_files.exact_types import changed_columns, spark_fields
    from tfspark.data_files.footers import later_columns, read_footers, refuse_empty
    from tfspark.data_files.listing import list_files

    if path.is_dir() and any(entry.is_dir() for entry in path.iterdir()):
        return None  # partitions, or a Delta or Iceberg table
    system = fs.LocalFileSystem()
    files = list_files(system, str(path.absolute()))
    if not files or any(Path(file.path).name.startswith("_") for file in files):
        return None
    refuse_empty(files, "parquet")
    footers = read_footers(system, files, "parquet")
    schema = nullable(footers[0].schema)
    if (
        later_columns(footers)
        or changed_columns(footers[0], spark_fields(footers[0]))
        or len({name.lower() for name in schema.names}) < len(schema.names)
        or any(pa.types.is_nested(kind) and not pa.types.is_list(kind) for kind in schema.types)
    ):
        return None
    return schema


def _check_columns(args: argparse.Namespace, schema: pa.Schema) -> None:
    """Bind the models to the columns.

    Raises:
        BindingError: Lists all mismatches.
    """
    from tfspark.bound_models import NamedModel, bind_each
    from tfspark.columns import columns_of, resolve
    from tfspark.schema import kept_columns
    from tfspark.spark.model_loading import model_of
    from tfspark.terms import FLAGS

    job = batch_score.job_of(args)
    if not all(Path(str(one.model)).exists() for one in job.requests):
        return
    models = [
        NamedModel(
            one.key,
            model_of(None, one.model, one.options),
            one.options,
            cast("Feed", one.feed),
            one.fetch,
        )
        for one in job.requests
    ]
    keep = None if job.keep is None else [resolve(name, schema.names) or name for name in job.keep]
    columns, kept = columns_of(schema), kept_columns(schema.names, keep)
    bind_each(models, [columns] * len(models), taken=kept, terms=FLAGS, difference=job.difference)
