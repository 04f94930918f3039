"""Refuses a hidden folder into which unexpected users can put files. Driver.

A job trusts the files in the hidden folder beside its output. Users who can replace the output
itself can do no more harm with such files, so they are trusted: a folder that a group shares works
for all of its users. In a folder with a sticky bit, such as /tmp, users cannot replace each other's
files. There, the hidden folder must belong to somebody who can change the output anyway.

This is checked with the rights of files, on local disks and on HDFS. Object stores have policies
instead, which a job cannot see.
"""

from __future__ import annotations

import stat

from tfspark.errors import OutputExistsError, explain
from tfspark.scoring.output.places import Places
from tfspark.scoring.output.store import Store
from tfspark.spark.cluster.access import Access

_ROOT = "0"


def refuse_planted(store: Store, places: Places) -> None:
    """Refuse a hidden folder that exists and that unexpected users can change.

    Raises:
        OutputExistsError: Another user can put files into it.
    """
    hidden = store.access(places.hidden)
    problem = hidden and _problem(store, places, hidden)
    if problem:
        raise OutputExistsError(
            explain(
                f"Other users can put files into {places.hidden}, the folder of the commit.",
                expected="a folder that only users who can replace the output can change",
                found=problem,
                hint="find out who made it; move it away, or run as its owner, or choose an "
                "output in a folder that other users cannot write. If only your own jobs used it, "
                "run chmod o-w on it.",
            )
        )


def _problem(store: Store, places: Places, hidden: Access) -> str:
    """Return how another user could have put files there; empty when nobody could."""
    if hidden.is_link:
        return "a link"
    parent = places.hidden[: places.hidden.rfind("/") + 1]
    above = store.access(parent)
    is_sticky = above is not None and bool(above.mode & stat.S_ISVTX)
    if above is not None and is_sticky:
        output = store.access(places.output)
        trusted = {_ROOT, above.owner, *([output.owner] if output else [])}
        if hidden.owner not in trusted and hidden.owner != store.user_in(parent):
            return f"a folder of the user {hidden.owner}, below a folder with a sticky bit"
    is_shared = above is not None and bool(above.mode & stat.S_IWOTH) and not is_sticky
    if hidden.mode & stat.S_IWOTH and not is_shared:
        return f"mode {hidden.mode:o}, so every user can write to it"
    return ""
