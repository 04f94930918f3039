"""Seeded damage to the bytes of a file."""

from __future__ import annotations

from random import Random


def truncate(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content))]


def flip(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice([1, 2, 8, 64])):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def splice(content: bytes, random: Random) -> bytes:
    """Copy a part of the file to another place in it."""
    start, to = (random.randrange(len(content)) for _ in range(2))
    return content[:to] + content[start : start + random.randrange(1, 200)] + content[to:]


def swap(content: bytes, random: Random) -> bytes:
    """Exchange two parts of equal length."""
    length = random.randrange(1, 64)
    one, other = sorted(random.randrange(len(content)) for _ in range(2))
    other = max(other, one + length)
    parts = content[one : one + length], content[other : other + length]
    between = content[one + length : other]
    return content[:one] + parts[1] + between + parts[0] + content[other + length :]


MUTATIONS = (truncate, flip, splice, swap)


def mutated(content: bytes, seed: int) -> bytes:
    """The content after one damage of each seed; every fourth seed is of the same kind."""
    random = Random(seed)
    return MUTATIONS[seed % len(MUTATIONS)](content, random)
