"""The charts of the stored benchmark results: their labels, colours and sizes."""

import json
import struct
from pathlib import Path

import pytest

from benchmarks.chart import FLOORS, OURS, label_of
from benchmarks.report import picture_of
from benchmarks.roster import PEERS, SIDES

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
CASES = [
    (part, case)
    for part in ("cases", "peers")
    for case in json.loads((RESULTS / f"{part}.json").read_text())["cases"]
]


def png_size(path):
    return struct.unpack(">II", path.read_bytes()[16:24])


def test_a_label_has_the_rate_and_the_ratio_to_the_floor():
    assert label_of(37_370_621, 48_608_758) == "37,370,621 rows/s  (0.77 × floor)"
    assert label_of(43_043, 40_224_730) == "43,043 rows/s  (0.001 × floor)"
    assert label_of(1.0, None) == "1 rows/s"


def test_all_sides_of_tfspark_and_no_others_have_its_colours():
    ours = {side.name for side in (*SIDES, *PEERS) if side.title.startswith("**tfspark**")}
    assert ours == set(OURS)
    assert not ours & set(FLOORS)


@pytest.mark.parametrize(("part", "case"), CASES)
def test_every_stored_case_has_a_chart_that_fits_a_screen(part, case):
    width, height = png_size(RESULTS / picture_of(part, case))
    assert width <= 900
    assert height <= 500


def test_the_page_shows_every_chart():
    page = (RESULTS.parent / "README.md").read_text("utf-8")
    missing = [case for case in CASES if f"(results/{picture_of(*case)})" not in page]
    assert not missing
