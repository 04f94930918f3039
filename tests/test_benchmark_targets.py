"""The targets over all cases of the benchmark."""

from benchmarks.targets import OverCases, over_cases


def case_of(**rates):
    return {"sides": {name: side(name, rate) for name, rate in rates.items()}}


def side(name, rate):
    return {"title": name, "rows": 100, "warm": [100 / rate] if rate else []}


def measured(rows):
    return [(row.what, row.measured, row.met) for row in rows]


def test_a_target_over_cases_has_the_smallest_ratio_and_the_geometric_mean():
    cases = {
        "linear": case_of(job_fastest=800, daft=100),
        "mlp": case_of(job_fastest=200, daft=100),
    }
    assert measured(over_cases(cases, OverCases(("daft",), mean=4.1))) == [
        ("job_fastest against daft: smallest of 2 cases (mlp)", "2.00 ×", True),
        ("job_fastest against daft: geometric mean of 2 cases", "4.0 ×", False),
    ]


def test_the_fastest_of_the_compared_sides_counts_in_each_case():
    cases = {
        "linear": case_of(job_fastest=100, onnx_udf=50, onnx_batch_udf=20),
        "mlp": case_of(job_fastest=100, onnx_udf=20, onnx_batch_udf=50),
    }
    smallest, mean = over_cases(cases, OverCases(("onnx_udf", "onnx_batch_udf"), mean=2.5))
    assert (smallest.measured, mean.measured) == ("2.00 ×", "2.0 ×")
    assert "onnx_udf or onnx_batch_udf" in mean.what


def test_cases_without_one_of_the_sides_do_not_count():
    cases = {
        "linear": case_of(job_fastest=100, ray=50),
        "text": case_of(job_fastest=100),
        "wide": case_of(job_fastest=100, ray=None),
    }
    rows = list(over_cases(cases, OverCases(("ray",), mean=2.0)))
    assert [row.what for row in rows] == [
        "job_fastest against ray: smallest of 1 case (linear)",
        "job_fastest against ray: geometric mean of 1 case",
    ]
    assert list(over_cases({"text": cases["text"]}, OverCases(("ray",), mean=2.0))) == []
