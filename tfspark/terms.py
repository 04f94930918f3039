"""The spelling of each option in each API, for hints. Driver and executor.

A hint says `narrow=True` to Python users and `--narrow` to users of the jobs. It takes the spelling
from the `Terms` of the API that was called, so that users can copy it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Terms:
    """The spelling of each option that a hint may name.

    The attributes are templates: `{input}`, `{output}` and `{column}` stand for names.
    """

    feed: str
    fetch: str
    keep: str
    narrow: str
    on_null: str
    strings: str
    constant: str
    output_shape: str
    batch_size: str


PYTHON = Terms(
    feed='feed={{"{input}": "{column}"}}',
    fetch='fetch={{"{output}": "{column}"}}',
    keep="keep=[…]",
    narrow="narrow=True",
    on_null='on_null="error"',
    strings='strings="binary"',
    constant='feed={{"{input}": value}}',
    output_shape='output_shapes={{"{output}": ()}}',
    batch_size="batch_size=1",
)

# The Params of Spark ML.
ML = replace(
    PYTHON,
    on_null='onNull="error"',
    output_shape='outputShapes={{"{output}": ()}}',
    batch_size="batchSize=1",
)

# The jobs under `jobs/`.
FLAGS = Terms(
    feed="--feed {input}={column}",
    fetch="--fetch {output}={column}",
    keep="--keep COLUMN,…",
    narrow="--narrow",
    on_null="--on-null error",
    strings="--strings binary",
    constant="--constant {input}=VALUE",
    output_shape="--output-shape {output}=",
    batch_size="--batch-size 1",
)

# A call of a registered function. Its options are arguments of `register` or `predict_udf`; a call
# binds columns by name with a struct.
SQL = Terms(
    feed="a struct whose field {input} holds the column {column}",
    fetch='fetch={{"{output}": "{column}"}} of register or predict_udf',
    keep="the columns of the query",
    narrow="narrow=True in register (--narrow in the SQL job), or drop them with CAST",
    on_null='on_null="error" in register or predict_udf (--on-null error in the SQL job)',
    strings='strings="binary" in register or predict_udf',
    constant="a literal for {input}",
    output_shape='output_shapes={{"{output}": ()}} in register or predict_udf (--output-shape '
    "NAME.{output}= in the SQL job)",
    batch_size="batch_size=1 in register or predict_udf",
)
