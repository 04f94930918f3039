import pickle

import pytest

from tfspark import errors

CHILDREN = [
    (errors.TfsparkError, Exception, 70),
    (errors.UsageError, ValueError, 2),
    (errors.ModelNotFoundError, FileNotFoundError, 65),
    (errors.InvalidModelError, ValueError, 65),
    (errors.ForbiddenOperationError, PermissionError, 65),
    (errors.SignatureNotFoundError, KeyError, 65),
    (errors.UnsupportedTypeError, TypeError, 65),
    (errors.BindingError, ValueError, 65),
    (errors.RowError, ValueError, 65),
    (errors.EngineError, RuntimeError, 65),
    (errors.InvalidInputError, ValueError, 65),
    (errors.InputNotFoundError, FileNotFoundError, 66),
    (errors.OutputExistsError, FileExistsError, 73),
    (errors.NoSpaceError, OSError, 74),
    (errors.OutputBusyError, BlockingIOError, 75),
    (errors.UnfinishedOutputError, RuntimeError, 75),
    (errors.TimeLimitError, TimeoutError, 75),
    (errors.WorkerLostError, ChildProcessError, 75),
]


def test_the_table_names_every_error():
    public = {one for one in vars(errors).values() if isinstance(one, type)}
    assert {child for child, _, _ in CHILDREN} == {
        one for one in public if issubclass(one, errors.TfsparkError)
    }


@pytest.mark.parametrize(("child", "builtin", "code"), CHILDREN)
def test_an_error_is_the_builtin_that_a_caller_would_catch(child, builtin, code):
    assert issubclass(child, builtin)
    assert child.exit_code == code


@pytest.mark.parametrize("child", [child for child, _, _ in CHILDREN])
def test_an_error_survives_pickling(child):
    error = pickle.loads(pickle.dumps(child("two\nlines")))
    assert type(error) is child
    assert str(error) == "two\nlines"
    assert error.exit_code == child.exit_code


@pytest.mark.parametrize("child", [child for child, _, _ in CHILDREN])
def test_an_error_prints_its_message_as_it_is(child):
    assert str(child("no 'quotes' around\nthis")) == "no 'quotes' around\nthis"
    assert str(child()) == ""


def test_explain_has_one_line_per_part():
    text = errors.explain("It broke.", expected="a", found="b", hint="mend it.")
    assert text == "It broke.\n  expected: a\n  found:    b\nHint: mend it."
    assert errors.explain("It broke.") == "It broke."


def test_explain_all_counts_first():
    assert errors.explain_all("No fit", ["a", "b"]) == "No fit: 2 mismatches\n  - a\n  - b"
    assert errors.explain_all("No fit", ["a"], hint="h") == "No fit: 1 mismatch\n  - a\nHint: h"


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("fetures", ["id", "features"], "features"),
        ("X", ["x", "y"], "x"),
        ("FEATURES", ["Features", "id"], "Features"),
        ("größe", ["Grösse", "id"], "Grösse"),
    ],
)
def test_did_you_mean_names_the_closest_whatever_its_case(name, known, meant):
    assert errors.did_you_mean(name, known) == f" Did you mean {meant!r}?"


def test_did_you_mean_is_silent_when_nothing_is_close():
    assert errors.did_you_mean("label", ["x", "y"]) == ""
    assert errors.did_you_mean("label", []) == ""


def test_listing_quotes_or_says_none():
    assert errors.listing(["a", "b c"]) == "'a', 'b c'"
    assert errors.listing([]) == "none"


def test_listing_counts_what_it_leaves_out():
    text = errors.listing(str(number) for number in range(1_000_000))
    assert text.startswith("'0', '1', ")
    assert text.endswith(", '49', and 999950 more")
