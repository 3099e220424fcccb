"""Numbers as people write them: both decimal marks, and no silent factor of 1,000."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_notes.data.numerals import to_numbers


def numbers(*columns):
    days = pd.date_range("2020-01-01", periods=len(columns[0]))
    columns = {f"T{i}": pd.Series(c, days) for i, c in enumerate(columns)}
    done = to_numbers(columns, "a.csv")
    assert all(c.dtype == "float64" for c in done.values())
    return [c.tolist() for c in done.values()]


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1.5", " 2 ", "3."], [1.5, 2, 3]),
        (["1e-5", "-2.5E+3", ".5"], [1e-5, -2500, 0.5]),
        (["2,084.52", "998.10", "1,234,567.80"], [2084.52, 998.1, 1234567.8]),
        (["2,084", "998.5"], [2084, 998.5]),
        (["2.084,52", "998,1", "1.234.567,8"], [2084.52, 998.1, 1234567.8]),
        (["2.084", "998,1"], [2084, 998.1]),
        (["1.234.567", "998"], [1234567, 998]),
        (["0,512", "0,518"], [0.512, 0.518]),
        (["59.123", "59.124"], [59.123, 59.124]),  # no comma, no doubt
        (["$26.06", "€ 27", "-$1.50"], [26.06, 27, -1.5]),
        (["1 234,50", "1\u00a0234,50", "1\u202f234,50"], [1234.5] * 3),
        (["1'234.50", "1’234.50"], [1234.5] * 2),
    ],
)
def test_both_marks_are_read(texts, values):
    assert numbers(texts) == [values]


@pytest.mark.parametrize(
    "word", ["", " ", ".", "-", "--", "NA", "n/a", "#N/A", "NaN", None]
)
def test_missing_is_missing(word):
    one, two = numbers(["1.5", word], [word, word])
    assert one[0] == 1.5
    assert np.isnan([one[1], *two]).all()


def test_columns_decide_together():
    assert numbers(["2,084", "2,085"], ["1.5", "1.6"])[0] == [2084, 2085]
    assert numbers(["2,084", "2,085"], ["1,5", "1,6"])[0] == [2.084, 2.085]


def test_numbers_and_decimals_stay():
    from decimal import Decimal

    one, two = numbers([1, 2], [Decimal("1.5"), Decimal("2.5")])
    assert (one, two) == ([1.0, 2.0], [1.5, 2.5])


@pytest.mark.parametrize(
    ("texts", "match"),
    [
        (["2,084", "2,085"], "a.csv: '2,084' can be read as 2084 and as 2.084"),
        (["1.5", "1,5"], "a.csv, T0: '1,5' on 2020-01-02 is not a number"),
        (["1,5", "59.12"], "T0: '1,5' on 2020-01-01 is not a number"),
        (["1,5", "1234.567"], "T0: '1234.567' on 2020-01-02 is not a number"),
        (["1.5", "12,34.5"], "'12,34.5' on 2020-01-02 is not a number"),
        (["1.5", "Food"], "'Food' on 2020-01-02 is not a number; write"),
        (["1.5", "1.23M"], "'1.23M' on 2020-01-02 is not a number"),
    ],
)
def test_what_is_no_number_or_two_is_named(texts, match):
    with pytest.raises(ValueError, match=match):
        numbers(texts)


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 1e7), min_size=1), st.sampled_from([0, 1, 2, 4, 5]))
def test_no_grouping_changes_a_value(values, digits):
    values = [round(v, digits) for v in values]
    point = [f"{v:,.{digits}f}" for v in values]
    comma = [t.translate(str.maketrans(",.", ".,")) for t in point]
    if digits:
        assert numbers(point) == numbers(comma) == [values]
    elif any(t.count(",") > 1 for t in point) or max(values) < 1000:
        assert numbers(point) == [values]
    else:
        with pytest.raises(ValueError, match="can be read as"):
            numbers(point)
