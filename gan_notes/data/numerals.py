"""Numbers as people write them: currency signs, thousands, decimal commas, blanks.

`files` reads text cells; what was asked for becomes numbers here, and only that.
"""

from __future__ import annotations

import pandas as pd

MISSING = ("", ".", "-", "--", "na", "n/a", "#n/a", "nan", "null", "none")
GROUPS_AND_POINT = r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d*)?"  # 2,084.5
GROUPS_AND_COMMA = r"[-+]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d*)?"  # 2.084,5 and 84,5
# What can be read with one of the two marks only.
ONLY_POINT = (
    r"[-+]?(?:\d{1,3}(?:,\d{3})+\.\d*|\d{1,3}(?:,\d{3}){2,}"
    r"|\d*\.(?:\d{1,2}|\d{4,})|0\.\d+)"
)
ONLY_COMMA = (
    r"[-+]?(?:\d{1,3}(?:\.\d{3})+,\d*|\d{1,3}(?:\.\d{3}){2,}"
    r"|\d+,(?:\d{1,2}|\d{4,})|0,\d+)"
)


def to_numbers(columns: dict[str, pd.Series], where: str) -> dict[str, pd.Series]:
    """Turn columns of text into float64, missing values into NaN.

    Parameters
    ----------
    columns : dict of str to Series
        Text or numbers, on dates. The decimal mark is found from all of them together.
    where : str
        What the error calls the source.

    Returns
    -------
    dict of str to Series

    Raises
    ------
    ValueError
        A value is no number, or could be read with either mark.

    Examples
    --------
    >>> to_numbers({"KO": pd.Series(["$2,084.50", "."])}, "prices.csv")["KO"].tolist()
    [2084.5, nan]
    """
    done = {k: pd.to_numeric(c, errors="coerce") for k, c in columns.items()}
    texts = {}
    if any((done[k].isna() & c.notna() & c.ne("")).any() for k, c in columns.items()):
        texts = {k: _clean(c) for k, c in columns.items() if not _is_number(c)}
    comma = _decimal_comma(texts, where)
    for name, text in texts.items():
        done[name] = _parse(text, comma)
        lost = done[name].isna() & text.notna()
        if lost.any():
            cell, day = str(columns[name][lost].iloc[0]), text.index[lost][0].date()
            raise ValueError(
                f"{where}, {name}: {cell!r} on {day} is not a number; write numbers "
                "like 1234.5, or leave the column out by naming the others in tickers."
            )
    return {name: values.astype("float64") for name, values in done.items()}


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column)


def _clean(column: pd.Series) -> pd.Series:
    """Strip signs of currency and spaces; what says "missing" becomes missing."""
    text = column.map(str, na_action="ignore").astype(object).str.strip()
    text = text.mask(text.str.lower().isin(MISSING))
    text = text.str.replace(r"^([-+]?)\s*[$€£¥₩]\s*", r"\1", regex=True)
    # Spaces and apostrophes between thousands: 1 234,50 and 1'234.50.
    return text.str.replace(r"(?<=\d)[\s'’](?=\d{3}(?!\d))", "", regex=True)


def _decimal_comma(texts: dict[str, pd.Series], where: str) -> bool:
    """Find out whether the comma is the decimal mark, from what leaves no doubt."""
    if not texts:
        return False
    cells = pd.concat(texts.values()).dropna()
    if not cells.str.contains(",", regex=False).any():
        many = cells.str.fullmatch(r"[-+]?\d{1,3}(?:\.\d{3}){2,}")
        return bool(many.any())
    if cells.str.fullmatch(ONLY_POINT).any():
        return False
    if cells.str.fullmatch(ONLY_COMMA).any():
        return True
    doubt = cells[cells.str.fullmatch(GROUPS_AND_POINT)]
    if len(doubt):
        text = doubt.iloc[0]
        raise ValueError(
            f"{where}: {text!r} can be read as {text.replace(',', '')} and as "
            f"{text.replace(',', '.')}; write numbers without commas."
        )
    return False


def _parse(texts: pd.Series, comma: bool) -> pd.Series:
    grouped = texts.str.fullmatch(
        GROUPS_AND_COMMA if comma else GROUPS_AND_POINT, na=False
    )
    plain = texts.str.replace("." if comma else ",", "", regex=False)
    plain = plain.str.replace(",", ".", regex=False)
    # With a decimal comma a point only groups: "59.1" among them is no number.
    rest = None if comma else texts
    return pd.to_numeric(plain.where(grouped, rest), errors="coerce")
