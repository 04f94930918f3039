"""Writes token lists and labels as TFRecords, and reads them as padded batches.

Input: token lists of any length, one label each. Output: a file of `tf.train.Example`s with the
features `tokens` and `label` (int64), and a `tf.data.Dataset` that reads it in any order, cut and
padded.

Invariant: the file contains no padding, so that it works for networks of any width.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

__all__ = ["read_records", "write_records"]

FEATURES = {
    "tokens": tf.io.FixedLenSequenceFeature((), tf.int64, allow_missing=True),
    "label": tf.io.FixedLenFeature((), tf.int64),
}
SHUFFLED = 100_000
"""Size of the shuffle buffer in records; a record has some hundred bytes."""


def write_records(file: Path, tokens: Iterable[Sequence[int]], labels: Iterable[int]) -> Path:
    """Write one record per token list and return the file.

    Raises:
        ValueError: when there are more token lists than labels, or fewer.
    """
    with tf.io.TFRecordWriter(str(file)) as writer:
        for row, label in zip(tokens, labels, strict=True):
            writer.write(_record(row, label))
    return file


def read_records(
    file: Path, *, rows: int, width: int, batch_size: int, seed: int | None = None
) -> Any:
    """Read the records as batches.

    Args:
        file: a file from `write_records`.
        rows: number of rows; Keras needs it before the first epoch, and the file does not contain
            it.
        width: tokens of a row; longer lists are cut, shorter ones end in zeros.
        batch_size: rows of a batch; the last one may be smaller.
        seed: seed of the order, which changes at each pass; by default the order of the file.

    Returns:
        A `tf.data.Dataset` of (tokens (batch, width) int32, label (batch, 1) float32).
    """
    counted = tf.data.experimental.assert_cardinality(rows)
    records = tf.data.TFRecordDataset(str(file)).apply(counted)
    if seed is not None:
        records = records.shuffle(SHUFFLED, seed=seed)
    pairs = records.map(lambda record: _row(record, width), num_parallel_calls=tf.data.AUTOTUNE)
    return pairs.padded_batch(batch_size, ([width], [1])).prefetch(tf.data.AUTOTUNE)


def _record(tokens: Sequence[int], label: int) -> bytes:
    features = {
        "tokens": tf.train.Feature(int64_list=tf.train.Int64List(value=tokens)),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    serialized: bytes = example.SerializeToString()
    return serialized


def _row(record: Any, width: int) -> tuple[Any, Any]:
    fields = tf.io.parse_single_example(record, FEATURES)
    return tf.cast(fields["tokens"][:width], tf.int32), tf.cast([fields["label"]], tf.float32)
