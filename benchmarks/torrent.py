"""Simulates how a broadcast spreads a model over a cluster, beside an archive.

    python -m benchmarks.torrent --executors 1000 --mb 10000

The model of Spark's `TorrentBroadcast`: a chunk of the model has pieces of 4 MiB. An executor
fetches one piece after another, in random order, and one chunk after another. It asks the driver
who has the piece, takes a random one of them (one on its own host, if there is any), and has the
piece itself from then on. A sender serves one request after another at the rate of its link.
All executors begin at the same time. An archive is sent by the driver to each executor.

The work for a piece is measured; the rate of the links is assumed. Left out: lost executors, other
traffic, and the limits of switches.
"""

from __future__ import annotations

import argparse
import heapq
import json
from dataclasses import dataclass
from random import Random

from tfspark.spark.cluster.distribution import CHUNK

PIECE = 4 << 20
DRIVER = 0
# Measured with two executors on the machine of the driver; see `scale.md`.
WORK = 0.047
EXTRACT = 3.0e-9


@dataclass(frozen=True)
class Cluster:
    """The executors and their links.

    Attributes:
        executors: Number of executors.
        per_host: Executors on one host; the driver has a host of its own.
        link: Bytes per second that a process can send.
        work: Seconds that an executor needs for a piece, without the link: to ask who has it, to
            receive and store it, and to write it to the file for Python.
        extract: Seconds per byte to receive and extract an archive, without the link.
    """

    executors: int
    per_host: int = 1
    link: float = 1.25e9
    work: float = WORK
    extract: float = EXTRACT

    def is_near(self, executor: int, holder: int) -> bool:
        """Whether two processes are on one host."""
        if holder == DRIVER:
            return False
        return (executor - 1) // self.per_host == (holder - 1) // self.per_host


@dataclass(frozen=True)
class Spread:
    """The result: when the last executor has the model, and how often the driver sent it."""

    seconds: float
    copies: float


def broadcast(cluster: Cluster, size: int, chunk: int = CHUNK, seed: int = 1) -> Spread:
    """Simulate a broadcast in chunks, piece by piece."""
    random = Random(seed)
    pieces = -(-size // PIECE)
    per_chunk = chunk // PIECE
    holders = [[DRIVER] for _ in range(pieces)]
    free = [0.0] * (cluster.executors + 1)  # when the link of a process is free
    left = [_order(random, pieces, per_chunk) for _ in range(cluster.executors + 1)]
    arrivals = [(0.0, executor, -1) for executor in range(1, cluster.executors + 1)]
    sent_by_driver, now = 0, 0.0
    while arrivals:
        now, executor, piece = heapq.heappop(arrivals)
        if piece >= 0:
            holders[piece].append(executor)
        if not left[executor]:
            continue
        following = left[executor].pop()
        sender = _choose(random, cluster, executor, holders[following])
        sent_by_driver += sender == DRIVER
        free[sender] = max(now, free[sender]) + PIECE / cluster.link
        heapq.heappush(arrivals, (free[sender] + cluster.work, executor, following))
    return Spread(now, sent_by_driver / pieces)


def archive(cluster: Cluster, size: int) -> Spread:
    """Return what an archive costs: the driver's link sends every copy."""
    seconds = cluster.executors * size / cluster.link + size * cluster.extract
    return Spread(seconds, cluster.executors)


def _order(random: Random, pieces: int, per_chunk: int) -> list[int]:
    """Return the pieces as one executor fetches them, the first one last."""
    order: list[int] = []
    for start in range(0, pieces, per_chunk):
        chunk = list(range(start, min(start + per_chunk, pieces)))
        random.shuffle(chunk)
        order += chunk
    return order[::-1]


def _choose(random: Random, cluster: Cluster, executor: int, holders: list[int]) -> int:
    if cluster.per_host > 1:
        near = [holder for holder in holders if cluster.is_near(executor, holder)]
        return random.choice(near or holders)
    return random.choice(holders)


def main() -> None:
    """Print one JSON line for each size and number of executors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mb", type=int, action="append")
    parser.add_argument("--executors", type=int, action="append")
    parser.add_argument("--per-host", type=int, default=1)
    parser.add_argument("--link", type=float, default=Cluster.link, help="bytes per second")
    chosen = parser.parse_args()
    for megabytes in chosen.mb or (500, 2500, 10_000):
        for executors in chosen.executors or (2, 4, 10, 100, 1000):
            cluster = Cluster(executors, chosen.per_host, chosen.link)
            size = megabytes * 1_000_000
            sent, packed = broadcast(cluster, size), archive(cluster, size)
            line = {"megabytes": megabytes, "executors": executors}
            times = {"broadcast_s": sent.seconds, "archive_s": packed.seconds}
            print(json.dumps({**line, **times, "driver_copies": sent.copies}))


if __name__ == "__main__":
    main()
