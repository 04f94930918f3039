import pandas as pd
import pytest

from models.reading.columns import Category, Numbers, check_columns, check_two_classes
from models.refusal import DataError

TABLE = pd.DataFrame(
    {
        "size": [1.5, 2.0, None],
        "count": ["3", "4.0", "4.5"],
        "rank": [1, 2, 3],
        "port": ["S", None, "X"],
    }
)


def test_values_that_follow_their_rules_pass():
    rules = {
        "size": Numbers(missing=True),
        "rank": Category((1, 2, 3)),
        "port": Category(("S", "X"), missing=True),
    }
    check_columns("f.csv", TABLE, rules)
    check_columns("f.csv", TABLE.head(2), {"count": Numbers(whole=True)})


def test_every_column_is_named_with_its_first_wrong_row():
    rules = {
        "size": Numbers(),
        "count": Numbers(whole=True),
        "rank": Category((1, 2)),
        "port": Category(("S", "C")),
    }
    with pytest.raises(DataError) as refusal:
        check_columns("f.csv", TABLE, rules)
    assert str(refusal.value).splitlines()[:-1] == [
        "f.csv has invalid training data: 4 mismatches",
        "  - column 'size': expected numbers, found nothing in row 3 (1 such rows)",
        "  - column 'count': expected whole numbers, found '4.5' in row 3 (1 such rows)",
        "  - column 'rank': expected one of '1', '2', found '3' in row 3 (1 such rows)",
        "  - column 'port': expected one of 'S', 'C', found nothing in row 2 (2 such rows)",
    ]


@pytest.mark.parametrize("value", ["a", "inf", ""])
def test_a_word_among_numbers_is_found(value):
    table = pd.DataFrame({"rank": ["1", value, "2"]})
    for rule in (Numbers(), Category((1, 2))):
        with pytest.raises(DataError, match=f"found '{value}' in row 2"):
            check_columns("f.csv", table, {"rank": rule})


def test_one_class_alone_is_refused():
    check_two_classes("f.csv", pd.Series([0, 1, 1]))
    with pytest.raises(DataError, match=r"one class only(.|\n)*0 and 1 in 'y'(.|\n)*'1'"):
        check_two_classes("f.csv", pd.Series([1, 1], name="y"))
