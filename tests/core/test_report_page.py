"""The page of a report: its figures, its text from outside, and how a browser shows it."""

import copy
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from tests.core.browser import BROWSER, browser
from tfspark.scoring.drift import METHOD, drift_of
from tfspark.scoring.page import NoTemplatesError, page_beside, page_of, write_page
from tfspark.scoring.page import formats as formatted
from tfspark.scoring.report import Report
from tfspark.scoring.report_file import _run_at
from tfspark.sketches import ColumnSketch, RowSketch
from tfspark.sketches.draw import Draw
from tfspark.sketches.summary import summary_of
from tfspark.spark.cluster.files import local_path

HOSTILE = "<script>alert(1)</script>"
_SPACES = str.maketrans({"\u202f": " ", "\u2212": "-"})


class Parsed(HTMLParser):
    """The elements, attributes and texts of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.data: dict[str, tuple[str, str]] = {}
        self.values: list[float] = []
        self.text = ""
        self._open: tuple[str, str] | None = None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "data":
            self._open = (found.get("id", ""), found["value"])
            self.values.append(float(found["value"]))

    def handle_data(self, data):
        self.text += data.translate(_SPACES)
        if self._open is not None:
            self.data[self._open[0]] = (self._open[1], data.translate(_SPACES))
            self._open = None


def statistics_of(seed=0, shift=0.0):
    random = np.random.default_rng(seed)
    columns = {
        "score": pa.array(random.beta(2, 5, 1797), mask=random.random(1797) < 0.1),
        "class": pa.array(random.integers(0, 10, 1797)),
        HOSTILE: pa.array([HOSTILE, "\x1b[31m\u202ered", "b"] * 599),
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array(random.normal(size=1797 * 8)), 8),
    }
    rows = RowSketch(rows=1797, columns=("id", HOSTILE), most=2)
    rows.sample = [(0, ["0", f"{HOSTILE}\x07"]), (0, ["1", "javascript:alert(1)"])]
    rows.reasons.update({"OUT_OF_RANGE": 1203, "NOT_TEXT": 1})
    for part, names in ((rows.outputs, list(columns)), (rows.inputs, ["x"])):
        for name in names:
            part[name] = ColumnSketch()
            column = columns.get(name, pa.array(random.normal(shift, 1, 1797)))
            part[name].add(column, Draw(0))
    return summary_of(rows)


def report_of(**changes):
    report = Report(
        job="batch_score",
        run="20260102-030405-01234567",
        started="2026-01-02T03:04:05+00:00",
        model={
            "path": "/models/churn/3",
            "name": f"churn {HOSTILE}",
            "version": 3,
            "digest": "0f" * 32,
            "signature": "serving_default",
            "tensorflow": "2.21.0",
            "inputs": [
                {"name": "x", "dtype": "float32", "shape": "(None,)", "spark": "float"},
            ],
            "outputs": [
                {"name": "score", "dtype": "float32", "shape": "(None,)", "spark": "float"},
            ],
        },
        cards={"": f"# Churn\n\n{HOSTILE}\x07\n"},
        input="parquet s3a://user:hunter2@bucket/customers",
        output="parquet /data/scores",
        path="direct",
        rows_in=3001,
        rows_out=1797,
        null_rows=179,
        bad_rows=1204,
        bad_rows_output="/data/bad",
        scored_rows=3001,
        rounded=["column 'x' double → float32"],
        seconds={"plan": 0.412, "preflight": 1.9, "score": 7.31, "publish": 0.2},
        versions={"spark": "4.1.0", "python": "3.12.1", "numpy": "2.4.6"},
        statistics=statistics_of(),
    )
    for name, value in changes.items():
        setattr(report, name, value)
    return json.loads(report.to_json())


def with_drift():
    now, then = statistics_of(), statistics_of(1, shift=1.0)
    source = {"run": "20260101-030405-76543210", "started": "2026-01-01T03:04:05+00:00"}
    return {"baseline": source, "method": METHOD, **drift_of(now, then)}


# --- figures -------------------------------------------------------------------------------------


def test_the_figures_are_those_of_the_json():
    report = report_of(drift=with_drift())
    page = Parsed(page_of(report))
    for name in ("rows_in", "rows_out", "null_rows", "bad_rows"):
        value, text = page.data[name]
        assert int(value) == report[name]
        assert text.replace(" ", "") == value
    assert float(page.data["total"][0]) == report["seconds"]["total"]
    assert "1 797 rows scored, 1 204 rejected, 179 null" in page.text
    expected = [*report["statistics"]["reasons"].values(), *report["seconds"].values()]
    for part in ("inputs", "outputs"):
        expected += [one["psi"] for one in report["drift"][part].values()]
        for facts in report["statistics"][part].values():
            keys = ("nulls", "nan", "min", "max", "mean", "deviation")
            expected += [facts[key] for key in keys if key in facts]
    assert set(expected) <= set(page.values)
    assert METHOD in page.text
    assert "x has changed since the baseline" in page.text
    assert all(text in page.text for text in report["versions"].values())


def test_the_bars_are_those_of_the_histogram():
    facts = report_of()["statistics"]["outputs"]["score"]
    page = page_of(report_of())
    chart = re.search(r'<svg class="chart".*?</svg>', page, re.S).group(0)
    heights = [float(text) for text in re.findall(r'height="([\d.]+)"><title>', chart)]
    shares = facts["histogram"]["shares"]
    assert len(heights) == len(shares)
    assert np.corrcoef(heights, shares)[0, 1] == pytest.approx(1, abs=1e-4)


def test_estimates_and_missing_columns_are_named():
    report = report_of(drift=with_drift())
    report["statistics"]["inputs"]["x"] |= {"estimated": True, "values": 10**6}
    report["statistics"]["left_out"] = 136
    report["drift"]["inputs"]["x"]["ks_error"] = 0.0213
    text = Parsed(page_of(report)).text
    estimates = "NaN and infinities are estimates, and values outside min and max are possible."
    assert estimates in text
    assert "136 inputs and predictions are not described." in text
    assert text.index("136 inputs") < text.index("Predictions")
    assert "± 0.02" in text


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"nan": 1800, "estimated": True, "drawn": 0}, "No values."),
        ({"lengths": [8, 8], "lengths_estimated": True}, "Other lengths are possible."),
        ({"drawn": 0}, "No values are described."),
        ({"drawn": 0, "histogram": {"values": [], "shares": []}}, "No values are described."),
    ],
)
def test_estimates_never_exceed_what_is_known(facts, expected):
    report = report_of()
    report["statistics"]["inputs"]["x"] |= {"null_values": 0, **facts}
    text = Parsed(page_of(report)).text
    assert expected in text
    assert not re.search(r"(of|all) -\d", text)


def test_a_chart_of_merged_values_is_an_estimate():
    report = report_of()
    facts = report["statistics"]["inputs"]["x"]
    assert "From all 1 797 values." in Parsed(page_of(report)).text
    facts["kept"] = 900
    text = Parsed(page_of(report)).text
    assert "Mean and deviation from all 1 797 values; the chart is an estimate." in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"rows_out": 0, "null_rows": 0, "bad_rows": 0, "statistics": {}},
            "The output has no rows",
        ),
        ({"rows_in": None, "null_rows": None, "statistics": {}}, "1 797 rows written"),
        ({"model": {"old": {"digest": "a"}, "new": {"digest": "b"}}, "cards": {}}, "Model old"),
        (
            {"engine": {"engine": "openvino", "rows_per_second": {"native": 1e6}}},
            "1 000 000 rows/s",
        ),
        (
            {"bad_rows": 0, "null_rows": 0, "statistics": {}},
            "1 797 rows scored, 0 rejected, 0 null",
        ),
    ],
)
def test_reports_of_other_jobs_have_a_page(changes, expected):
    assert expected in Parsed(page_of(report_of(**changes))).text


def test_a_report_without_most_facts_has_a_page():
    assert "rows written" in Parsed(page_of({"rows_out": 3, "job": "sql_score"})).text


def test_odd_outputs_are_named():
    rows = RowSketch(rows=3)
    columns = {
        "nothing": pa.nulls(3, pa.float32()),
        "broken": pa.array([float("nan")] * 3),
        "endless": pa.array([float("inf"), 1.0, 2.0]),
        "constant": pa.array([7.0] * 3),
        "blob": pa.array([b"x"] * 3),
    }
    for name, column in columns.items():
        rows.outputs[name] = ColumnSketch()
        rows.outputs[name].add(column, Draw(0))
    text = Parsed(page_of(report_of(statistics=summary_of(rows)))).text
    assert "broken: 3 values are NaN (100 %)." in text
    assert "endless: 1 value is infinite (33.3 %)." in text
    assert "constant: all values are 7." in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *[
            (0, "0"),
            (3.0, "3"),
            (1797, "1 797"),
            (1234567.891, "1 234 568"),
            (-0.01234, "-0.01234"),
        ],
        *[(1e-5, "1e-05"), (1.5e12, "1.5e+12"), (0.5, "0.5"), (99999.5, "100 000"), (2.5, "2.5")],
    ],
)
def test_numbers_as_text(value, text):
    assert formatted.number(value).translate(_SPACES) == text


@pytest.mark.parametrize(
    ("part", "text"),
    [(0, "0 %"), (1, "100 %"), (1e-6, "< 0.1 %"), (0.9999999, "> 99.9 %"), (0.1234, "12.3 %")],
)
def test_shares_as_text(part, text):
    assert formatted.share(part).translate(_SPACES) == text


def test_seconds_as_text():
    found = [formatted.seconds(value).translate(_SPACES) for value in (0.4, 12.34, 185, 7265)]
    assert found == ["0.40 s", "12.3 s", "3 min 05 s", "2 h 1 min 05 s"]


# --- text from outside ---------------------------------------------------------------------------


def test_hostile_text_is_only_text():
    html = page_of(report_of(drift=with_drift()))
    page = Parsed(html)
    assert not {"script", "a", "img", "iframe", "object", "base", "form", "b"} & set(page.tags)
    assert page.tags.count("style") == 1
    assert HOSTILE in page.text
    assert not [one for one in page.attributes if one[1].startswith("on") or one[1] == "style"]
    addresses = [one for one in page.attributes if one[1] in ("href", "src", "action")]
    assert not addresses
    assert "url(" not in html
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", html)
    assert "\\x1b[31m\\u202ered" in page.text
    assert "hunter2" not in html


def test_the_policy_allows_only_the_style_of_the_page():
    policy = next(
        value
        for _, name, value in Parsed(page_of(report_of())).attributes
        if name == "content" and "default-src" in value
    )
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_without_jinja2_the_message_names_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(NoTemplatesError, match="pip install 'jinja2"):
        page_of(report_of())


def test_the_page_is_beside_the_report():
    assert page_beside("/a/out.json") == "/a/out.html"
    assert page_beside("s3a://b/report") == "s3a://b/report.html"


def test_pages_do_not_change_their_report(tmp_path):
    report = report_of()
    before = copy.deepcopy(report)
    write_page(report, tmp_path / "page.html")
    assert report == before
    assert (tmp_path / "page.html").read_text("utf-8") == page_of(report)


# --- in a browser --------------------------------------------------------------------------------

# Every text element with the contrast of its colour to the nearest background (WCAG 2).
_CONTRAST = """
(() => {
  const light = c => { const v = c.map(x => x / 255).map(
      x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const paper = e => { for (; e; e = e.parentElement) { const c = parts(getComputedStyle(e)
      .backgroundColor); if (c.length < 4 || c[3] > 0) return c.slice(0, 3); }
    return [255, 255, 255]; };
  const found = [];
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    if (e.tagName === "title") continue;
    const style = getComputedStyle(e);
    const ink = parts(e instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(ink), light(paper(e))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), e.tagName + " " + e.textContent.trim().slice(0, 30)]);
  }
  return found.sort((x, y) => x[0] - y[0])[0];
})()
"""
# Elements that reach beyond the window, except in tables that scroll; a table of sentences wraps.
_CUT = """
[...document.querySelectorAll("body *")]
  .filter(e => !e.closest(".scroll table:not(.prose)") && !e.closest(".hidden")
      && e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
  .map(e => e.tagName + " " + e.textContent.trim().slice(0, 40))
"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
@pytest.mark.slow
def test_a_browser_shows_the_page_without_errors(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    write_page(report_of(drift=with_drift()), file)
    with browser(tmp_path / "profile") as page:
        for width, scheme in ((375, "light"), (1200, "dark")):
            page.open(file, width=width, scheme=scheme)
            assert page.console == []
            assert page.requests == [file.as_uri()]
            sizes = page.value("[document.documentElement.scrollWidth, innerWidth]")
            assert sizes == [width, width]
            assert page.value(_CUT) == []
            contrast, where = page.value(_CONTRAST)
            assert contrast >= 4.5, where
        stops = []
        for _ in range(page.value('document.querySelectorAll(".scroll, summary").length')):
            page.press("Tab")
            stops.append(page.value("document.activeElement.getBoundingClientRect().top + scrollY"))
        assert stops == sorted(stops)


def test_a_report_in_a_pipe_is_not_read(tmp_path):
    pipe, file = tmp_path / "pipe", tmp_path / "report.json"
    os.mkfifo(pipe)
    file.write_text('{"run": "r"}')
    files = SimpleNamespace(
        qualified=lambda place: f"file:{place}",
        exists=lambda _: True,
        copy_to_local=lambda place, copy: copy.write_text(local_path(place).read_text()),
    )
    assert _run_at(files, str(file)) == "r"
    assert _run_at(files, str(pipe)) == ""
