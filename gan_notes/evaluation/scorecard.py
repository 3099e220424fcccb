"""The scorecard: every metric beside every baseline, with intervals. Chapter 07.

It needs windows and nothing else, so it judges any tool's output. Every table has the
same reference rows: fresh real days, which say what a perfect generator would score,
and six generators that learn little or nothing.
"""

import json
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special, stats
from tqdm import tqdm

from gan_notes.data.exchange import read_windows
from gan_notes.evaluation import baselines, distances, facts, fidelity, judges

STORED = Path(__file__).parent / "stored"  # tables of what ships, see `stored`
FRESH = "fresh real"
COLUMNS = ["metric", "candidate", "value", "low", "high"]
COLUMNS += ["better", "floor", "at_floor"]
FEWEST = 100  # synthetic windows: a judge learns half and is asked about the other
BETTER = {
    "coverage": "higher",
    "density": "nearer floor",
    "Fréchet": "lower",
    "MMD": "lower",
}
LIMITS = {"AUC": (0.0, 1.0), "coverage": (0.0, 1.0)}
Z = 3.92  # standard errors in a 95 % interval


@dataclass(frozen=True)
class Setting:
    """How long the judges learn and how often they are asked."""

    boosting: tuple[int, int]  # splits, trees
    lstm: tuple[int, int]  # splits, updates
    distances: int  # splits
    forecaster: tuple[int, int]  # seeds, updates
    limit: int | None  # windows of a kind in a split
    draws: int  # bootstrap samples


FULL = Setting((20, 100), (8, 1000), 20, (3, 400), None, 200)
QUICK = Setting((5, 40), (4, 100), 20, (2, 80), 500, 30)


def scorecard(
    real_train: np.ndarray,
    real_test: np.ndarray,
    synthetic,
    *,
    values: str = "returns",
    tickers: Sequence[str] | None = None,
    train_dates: np.ndarray | None = None,
    test_dates: np.ndarray | None = None,
    seed: int = 0,
    quick: bool = False,
    verbose: int = 1,
) -> pd.DataFrame:
    """Judge synthetic windows by every metric, beside fresh real days and baselines.

    Parameters
    ----------
    real_train, real_test : float arrays (n, length, features)
        In the order of time, one day apart, the test period later than the training
        period (`Windows.train_dates` and `Windows.test_dates` let that be checked).
    synthetic : float array (m, length, features), path, mapping, or list of arrays
        Independent windows in the unit of the real ones. A path is a long Parquet or
        CSV table or an ``.npy`` array, see `read_windows`. A mapping has a candidate
        per name. A list holds an array per training of one generator, and then the
        intervals hold what another training would change.
    values : "returns", "prices" or "levels"
        What all windows hold. Prices are judged on log-returns, levels on differences.
    tickers : list of str
        Names of the features; the columns of a table must be these, in this order.
    train_dates, test_dates : datetime arrays (n, length)
        Where given, periods that overlap are refused.
    seed : int
        Of splits, draws, judges and bootstrap.
    quick : bool
        Few splits and short trainings: to look, not to conclude. Its metrics are
        named so.
    verbose : int
        0 hides the progress bar.

    Returns
    -------
    DataFrame, a row per metric and candidate: `metric`, `candidate`, `value`, `low` and
    `high` (95 %), `better` ("higher", "lower" or "nearer floor"), `floor` (the value of
    fresh real days) and `at_floor` (not told apart from it, or better).

    Raises
    ------
    ValueError
        Shapes that do not match, missing values, too few windows, columns in another
        order, overlapping periods, an unknown `values`.
    FileNotFoundError
        There is no such file.
    ModuleNotFoundError
        The extra ``[finance]`` is not installed.

    Notes
    -----
    Distances and AUCs are means over many deals of the training days, see
    `fidelity.signed_auc`: fresh real days are a hand that was dealt apart. Facts and
    risk compare with the whole training period, fresh real days hand with hand, their
    distances reduced to what the whole period would have. Memorisation compares with
    the whole training period, and fresh real days are the held-out ones.
    """
    if values not in ("returns", "prices", "levels"):
        raise ValueError(f"values: {values!r} is not one of returns, prices, levels.")
    named = _candidates(synthetic, tickers)
    _check_dates(train_dates, test_dates)
    train = _changes("real_train", real_train, values)
    test = _changes("real_test", real_test, values, like=real_train)
    named = {
        name: [_changes(name, x, values, like=real_train, least=FEWEST) for x in arrays]
        for name, arrays in named.items()
    }
    length = train.shape[1]
    if len(test) < 2 * length:
        raise ValueError(
            f"real_test: {len(test)} windows came, and {2 * length} are needed, twice "
            "the days of a window; take a longer period."
        )
    fidelity.deal(len(train), length)  # refuses a period that is too short
    most = max(len(x) for arrays in named.values() for x in arrays)
    count = min(most, len(train))
    candidates = {FRESH: None}
    for name, draw in baselines.ALL.items():
        candidates[name] = [draw(train, count, seed=seed).astype("float64")]
    candidates |= named
    setting = QUICK if quick else FULL
    counted = [partial(_fidelity, judge="boosting"), _diversity, _facts]
    trained = [partial(_fidelity, judge="lstm")]
    trained += [partial(_utility, task=task) for task in ("absolute", "levels")]
    total = (len(counted) + len(trained)) * len(candidates)
    stop = threading.Event()
    with tqdm(total=total, disable=not verbose) as bar, ThreadPoolExecutor(1) as pool:

        def done():
            if stop.is_set():
                raise InterruptedError("the other half of the scorecard has stopped")
            bar.update()

        def judge(families):
            given = train, test, candidates, setting, seed, done
            return [row for family in families for row in family(*given)]

        # TensorFlow trains small networks on one core while the other one counts.
        half = pool.submit(judge, counted)
        try:
            rows = judge(trained)
        except BaseException:  # Ctrl-C too must not wait for the other half
            stop.set()
            raise
        rows = half.result() + rows
    card = pd.DataFrame(rows, columns=COLUMNS[:6])
    return _with_floors(card, " (quick)" * quick)


def stored(name: str) -> tuple[pd.DataFrame, dict]:
    """Return a scorecard of shipped generators that was computed before.

    Parameters
    ----------
    name : str
        "offline": those of the offline six, on the 23 changes of a window;
        "offline-120": its returns generators, run on for 120 days, quick; or "djia":
        as the first, those of BA, CAT, DIS, GE, IBM and KO.

    Returns
    -------
    card : DataFrame, see `scorecard`
    about : dict
        Its command, commit, weights, versions, seconds and hardware.

    Raises
    ------
    ValueError
        There is no such table; the message lists those that are.
    """
    path = STORED / f"scorecard-{name}.csv"
    if not path.exists():
        known = [p.stem.removeprefix("scorecard-") for p in STORED.glob("*.csv")]
        raise ValueError(
            f"{name!r} is no stored scorecard; there are: {', '.join(sorted(known))}."
        )
    about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return pd.read_csv(path), about


def diversity(real: np.ndarray, synthetic: np.ndarray) -> dict[str, float]:
    """Ask whether all kinds of windows are there, and no others.

    Each window becomes a point of `judges.window_features`, every feature replaced by
    its normal score among all windows of both samples. As they come, windows of
    returns are compared by their size alone: one stormy window outweighs a hundred
    calm ones in a covariance, and its neighbourhood holds all of them.

    Parameters
    ----------
    real, synthetic : float arrays (n, length, features) and (m, length, features)
        Independent windows: real ones that share no day.

    Returns
    -------
    dict of "coverage" and "density" (`distances.neighbour_counts`; .969 and 1 for two
    independent samples of one size and law), "Fréchet" (`distances.frechet_distance`
    on the first ten principal axes of the real points; above 0 for finite samples) and
    "MMD" (`distances.mmd`; 0 in the mean)
    """
    x = judges.window_features(np.concatenate([real, synthetic]))
    scores = special.ndtri(stats.rankdata(x, axis=0) / (len(x) + 1))
    a, b = scores[: len(real)], scores[len(real) :]
    counts = distances.neighbour_counts(a, b)
    axes = distances.principal_axes(a)
    return {
        "coverage": float((counts > 0).mean()),
        "density": float(counts.sum() / (5 * len(b))),
        "Fréchet": distances.frechet_distance(axes.transform(a), axes.transform(b)),
        "MMD": distances.mmd(a, b),
    }


def table(card: pd.DataFrame) -> pd.DataFrame:
    """Give a scorecard as text, a row per metric and a column per candidate.

    A star marks what is not told apart from fresh real days, or better.
    """
    line = "{0.value:.3g} [{0.low:.3g}, {0.high:.3g}]".format
    text = card.apply(line, axis=1).str.replace(" [nan, nan]", "", regex=False)
    text += np.where(card["at_floor"].eq(True), " *", "")
    shown = card.assign(text=text).set_index(["metric", "candidate"])["text"].unstack()
    shown = shown.loc[card["metric"].unique(), card["candidate"].unique()]
    return shown.fillna("").rename_axis(index=None, columns=None)


def _fidelity(train, test, candidates, setting, seed, done, *, judge):
    splits, steps = getattr(setting, judge)
    for name, source in candidates.items():
        areas = fidelity.signed_auc(
            train,
            test,
            source,
            judge=judge,
            splits=splits,
            steps=steps,
            limit=setting.limit,
            seed=seed,
        )
        shown = {"lstm": "LSTM"}.get(judge, judge)
        yield f"AUC, {shown}", name, *distances.mean_interval(areas), "nearer floor"
        done()


def _diversity(train, test, candidates, setting, seed, done):
    options = {"splits": setting.distances, "apart": train.shape[1], "seed": seed}
    for name, source in candidates.items():
        found = {}
        for training, split, known, taught, _ in fidelity.rounds(
            train, source, **options
        ):
            for metric, value in diversity(known, taught).items():
                found.setdefault(metric, {})[training, split] = value
        for metric, values in found.items():
            grid = np.reshape(
                [values[key] for key in sorted(values)], (-1, setting.distances)
            )
            yield metric, name, *distances.mean_interval(grid), BETTER[metric]
        done()


def _utility(train, test, candidates, setting, seed, done, *, task):
    seeds, steps = setting.forecaster
    scale = judges.scale_of(train)
    block = min(2 * train.shape[1], len(test) // 4)

    def learn(source, number):
        options = {"scale": scale, "task": task, "steps": steps, "looks": 1}
        return judges.utility(source, test, seed=seed + number, **options)[0]

    def ratio(errors, base):
        """Errors (trainings, seeds, days) over those of real data (seeds, days)."""
        ends = distances.block_interval(
            lambda a, b: a.mean() / b.mean(),
            errors.mean(axis=(0, 1)),
            base.mean(axis=0),
            block=block,
            draws=setting.draws,
            seed=seed,
        )
        days = ((ends[1] - ends[0]) / Z) ** 2
        ratios = errors.mean(axis=-1) / base.mean(axis=-1)
        return distances.mean_interval(ratios, variance=days)

    base = np.stack([learn(train, number) for number in range(seeds)])
    alone, mixed = f"TSTR / TRTR, {task}", f"real + synthetic / TRTR, {task}"
    for name, source in candidates.items():
        if source is None:  # one hand in place of another, and both in place of one
            hands = list(fidelity.rounds(train, None, splits=seeds, seed=seed))
            known = np.stack([learn(hand[2], hand[1]) for hand in hands])
            errors = [[learn(hand[3], hand[1]) for hand in hands]]
            more = [[(hand[1], np.concatenate(hand[2:4])) for hand in hands]]
        else:
            known = base
            errors = [[learn(x, number) for number in range(seeds)] for x in source]
            more = [
                [
                    (number, np.concatenate([train, x[: len(train)]]))
                    for number in range(seeds)
                ]
                for x in source
            ]
        yield alone, name, *ratio(np.array(errors), known), "lower"
        if task == "absolute":
            errors = [[learn(x, number) for number, x in one] for one in more]
            yield mixed, name, *ratio(np.array(errors), known), "lower"
        done()
    naive = judges.naive_errors(train, test, scale=scale, task=task)
    for name, errors in naive.items():
        same = np.broadcast_to(errors, (1, *base.shape))
        yield alone, name, *ratio(same, base), "lower"


def _facts(train, test, candidates, setting, seed, done):
    length = train.shape[1]
    options = {"draws": setting.draws, "seed": seed}
    # A third of the days against a third have six times the variance of all of them
    # against a law that is known, to which a sample of the law adds its own.
    drawn = min(len(x) for arrays in candidates.values() if arrays for x in arrays)
    shrink = np.sqrt((1 + len(train) / (drawn * length)) / 6)
    for name, source in candidates.items():
        if source is None:
            rounds = fidelity.rounds(train, None, splits=setting.distances, seed=seed)
            frames = [
                _compared(known, taught, block=1, draws=1, seed=seed)
                for *_, known, taught, _ in rounds
            ]
            for frame in frames:
                frame.loc[frame["better"] == "lower", "value"] *= shrink
            near = facts.memorisation(
                train, test, block=min(2 * length, len(test) // 4), **options
            )
            near = [near]
        else:
            frames = [_compared(train, x, block=2 * length, **options) for x in source]
            near = [facts.memorisation(train, x, **options) for x in source]
        for row in _averaged(frames):
            yield row[0], name, *row[1:]
        near = [
            frame.assign(metric="nearest, " + frame["statistic"], better="higher")
            for frame in near
        ]
        for row in _averaged(near):
            yield row[0], name, *row[1:]
        done()


def _compared(real, synthetic, **options) -> pd.DataFrame:
    """Facts and risk of two samples: a row each of metric, value, low, high, better."""
    far = facts.distances(real, synthetic, **options)
    risk = facts.risk(real, synthetic, **options)
    named = [f"{r.measure} {r.level:.0%}, {r.position}" for r in risk.itertuples()]
    return pd.concat(
        [
            far.assign(
                metric="fact, " + far["fact"], value=far["distance"], better="lower"
            ),
            risk.assign(metric=named, value=risk["ratio"], better="nearer floor"),
        ],
        ignore_index=True,
    )


def _averaged(frames: list[pd.DataFrame]):
    """Average tables of one shape, and add up what is uncertain in and among them."""
    for rows in zip(*(frame.itertuples() for frame in frames), strict=True):
        first = rows[0]
        ends = first.value, first.low, first.high
        if len(rows) > 1:
            inside = np.mean([((row.high - row.low) / Z) ** 2 for row in rows])
            values = np.array([[row.value] for row in rows])
            ends = distances.mean_interval(values, variance=inside)
        yield first.metric, *ends, first.better


def _with_floors(card: pd.DataFrame, suffix: str) -> pd.DataFrame:
    """Cut intervals to what is possible, and compare each row with fresh real days."""
    for start, (least, most) in LIMITS.items():
        rows = card["metric"].str.startswith(start)
        card.loc[rows, ["low", "high"]] = card.loc[rows, ["low", "high"]].clip(
            least, most
        )
    fresh = card[card["candidate"] == FRESH].set_index("metric")
    card["floor"] = card["metric"].map(fresh["value"])
    low, high = card["metric"].map(fresh["low"]), card["metric"].map(fresh["high"])
    near_enough = {
        "lower": card["low"] <= high,
        "higher": card["high"] >= low,
        "nearer floor": (card["low"] <= high) & (card["high"] >= low),
    }
    kinds, verdicts = list(near_enough), list(near_enough.values())
    which = [card["better"] == kind for kind in kinds]
    card["at_floor"] = np.select(which, verdicts).astype(bool)
    card["metric"] += suffix
    return card


def _candidates(synthetic, tickers) -> dict[str, list[np.ndarray]]:
    if not isinstance(synthetic, Mapping):
        synthetic = {"synthetic": synthetic}
    taken = {FRESH, *baselines.ALL, "constant", "no change"}
    named = {}
    for name, source in synthetic.items():
        if name in taken:
            raise ValueError(
                f"synthetic: {name!r} is the name of a reference row; choose another."
            )
        several = isinstance(source, list | tuple)
        arrays = [
            read_windows(one, tickers) if isinstance(one, str | os.PathLike) else one
            for one in (source if several else [source])
        ]
        if not arrays:
            raise ValueError(f"synthetic: {name!r} has no trainings; give one or more.")
        named[name] = arrays
    return named


def _changes(name, windows, values, *, like=None, least=2) -> np.ndarray:
    """Check windows at the door and give their changes, float64."""
    windows = np.asarray(windows)
    if windows.ndim != 3 or windows.dtype.kind not in "fiu":
        raise ValueError(
            f"{name}: shape {windows.shape} of {windows.dtype} is no array of numbers "
            "(n, length, features); give windows."
        )
    if like is not None and windows.shape[1:] != np.shape(like)[1:]:
        raise ValueError(
            f"{name}: windows are {windows.shape[1:]} (days, features), those of "
            f"real_train {np.shape(like)[1:]}; give the same days and features."
        )
    if len(windows) < least:
        raise ValueError(
            f"{name}: {len(windows)} windows came, and {least} are needed at least; "
            "generate more."
        )
    windows = windows.astype("float64")
    if bad := int((~np.isfinite(windows)).any(axis=(1, 2)).sum()):
        raise ValueError(
            f"{name}: {bad} of {len(windows)} windows have missing or infinite values; "
            "mend or drop them."
        )
    if values == "returns":
        return windows
    if values == "prices":
        if (windows <= 0).any():
            raise ValueError(
                f"{name}: some values are zero or less, and prices have logarithms; "
                "give values='levels' (or 'returns', if that is what they are)."
            )
        windows = np.log(windows)
    return np.diff(windows, axis=1)


def _check_dates(train, test) -> None:
    if train is None or test is None:
        return
    last, first = np.max(train), np.min(test)
    if first <= last:
        raise ValueError(
            f"test_dates: they begin on {str(first)[:10]}, and the training period "
            f"ends on {str(last)[:10]}; judge on a later period."
        )
