"""The TimeGAN paper's two scores, as its authors' code has them. Chapter 07.

For comparability alone: the split is random, so windows of both sides share days, and
the scores are noisy. Never shown without `NOISE_FLOOR`, the real windows given as
synthetic ones, and never read without the trap: a classifier that says one class for
everything has a perfect discriminative score of 0.

Yoon, Jarrett and van der Schaar (2019). Where paper and code differ the code is
followed: the predictive score takes all features but the last of a day and predicts
the last one of the next day (the paper's text has a vector of all).
"""

from collections.abc import Mapping

import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from gan_notes.models import layers
from gan_notes.training import draws, loop

BATCH = 128
STEPS = (2000, 5000)  # updates of the discriminative and of the predictive judge
TRAIN_SHARE = 0.8
NOISE_FLOOR = "real windows"


def scaled_windows(table: np.ndarray, *, length: int = 24) -> np.ndarray:
    """Scale a whole table to [0, 1] by column, and cut all windows out of it.

    Parameters
    ----------
    table : float array (days, features), oldest first
    length : int
        Days of a window.

    Returns
    -------
    float32 array (days - length + 1, length, features)

    Raises
    ------
    ValueError
        Missing values, a column in which nothing varies, or too few days.

    Notes
    -----
    The authors' loader turns the time round (their stock file is oldest first) and
    drops the last window. This one does neither.
    """
    table = np.asarray(table, dtype="float64")
    if table.ndim != 2 or len(table) < length:
        raise ValueError(
            f"table: shape {table.shape} came; windows of {length} days need as many "
            "rows at least, and a column per feature."
        )
    low, high = table.min(axis=0), table.max(axis=0)
    if not np.isfinite(table).all() or (low == high).any():
        raise ValueError(
            "table: missing values, or a column in which nothing varies; leave those "
            "columns out."
        )
    view = np.lib.stride_tricks.sliding_window_view
    scaled = view((table - low) / (high - low), length, axis=0)
    return np.ascontiguousarray(scaled.transpose(0, 2, 1), dtype="float32")


def discriminative_score(
    real: np.ndarray,
    synthetic: np.ndarray,
    *,
    steps: int = STEPS[0],
    seed: int = 0,
) -> float:
    """Distance from chance of a GRU that is to tell real windows from synthetic ones.

    Parameters
    ----------
    real, synthetic : float arrays (n, length, features) and (m, length, features)
        In [0, 1]. Of both a random four fifths are learnt and the rest asked about.
    steps : int
        Updates; 2,000 in the authors' code.
    seed : int
        Of split, weights and minibatches.

    Returns
    -------
    float, abs(accuracy - 0.5): 0 to 0.5 where n = m, lower is better. Also 0 where the
    classifier learnt nothing: see `score_of_verdicts`.

    Raises
    ------
    ValueError
        Not windows, windows of other shapes, or fewer than two features.

    Notes
    -----
    As in ``metrics/discriminative_metrics.py`` of the authors: a GRU with half as many
    units as there are features, a dense logit on its last state, cross-entropy, Adam.
    Minibatches are 256 windows drawn from both kinds together, where theirs are 128
    of each.
    """
    _check(real, synthetic)
    random = np.random.default_rng(seed)
    sides = [_split(np.asarray(x, "float32"), random) for x in (real, synthetic)]
    x, asked = (np.concatenate(part) for part in zip(*sides, strict=True))
    y, label = (
        np.repeat([1.0, 0.0], [len(part) for part in parts])
        for parts in zip(*sides, strict=True)
    )
    model = _gru(x.shape[1:], seed=seed, every_day=False)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    _train(model, x, y[:, None], loss, steps=steps, seed=seed, batch_size=2 * BATCH)
    return score_of_verdicts(label, draws.in_parts(model, asked)[:, 0] > 0)


def score_of_verdicts(label: np.ndarray, verdicts: np.ndarray) -> float:
    """Turn verdicts into the discriminative score, abs(accuracy - 0.5).

    Parameters
    ----------
    label, verdicts : arrays (n,) of 0 and 1

    Examples
    --------
    The trap: to call everything real is right on half of it.

    >>> score_of_verdicts(np.array([1, 1, 0, 0]), np.array([1, 1, 1, 1]))
    0.0
    """
    return float(abs(np.mean(label == verdicts) - 0.5))


def predictive_score(
    real: np.ndarray,
    synthetic: np.ndarray,
    *,
    steps: int = STEPS[1],
    seed: int = 0,
) -> float:
    """Error on real windows of a one-step-ahead GRU that has learnt synthetic ones.

    Parameters
    ----------
    real, synthetic : float arrays (n, length, features) and (m, length, features)
        In [0, 1]. All synthetic windows are learnt, all real ones asked about.
    steps : int
        Updates; 5,000 in the authors' code.
    seed : int
        Of weights and minibatches.

    Returns
    -------
    Mean absolute error of the last feature, in the scale of the windows.

    Raises
    ------
    ValueError
        As `discriminative_score`.

    Notes
    -----
    As in ``metrics/predictive_metrics.py`` of the authors: from all features but the
    last of each day, a GRU with half as many units as there are features and a sigmoid
    predict the last feature of the next day, under the absolute error, Adam.
    """
    _check(real, synthetic)
    synthetic = np.asarray(synthetic, "float32")
    model = _gru(
        (synthetic.shape[1] - 1, synthetic.shape[2] - 1),
        units=synthetic.shape[2] // 2,
        seed=seed,
        every_day=True,
    )
    loss = keras.losses.MeanAbsoluteError()
    x, y = synthetic[:, :-1, :-1], synthetic[:, 1:, -1:]
    _train(model, x, y, loss, steps=steps, seed=seed, batch_size=BATCH)
    real = np.asarray(real, "float32")
    forecast = draws.in_parts(model, real[:, :-1, :-1])
    return float(np.abs(forecast - real[:, 1:, -1:]).mean())


def scores(
    real: np.ndarray,
    candidates: Mapping[str, np.ndarray],
    *,
    repeats: int = 10,
    steps: tuple[int, int] = STEPS,
    seed: int = 0,
    verbose: int = 1,
) -> pd.DataFrame:
    """Repeat both scores for several generators, the noise floor first.

    Parameters
    ----------
    real : float array (n, length, features), in [0, 1]
    candidates : mapping from names to float arrays (m, length, features)
    repeats : int
        Trainings of each judge; the authors' code makes 10.
    steps : two ints
        Updates of the discriminative and of the predictive judge.
    seed : int
        Of the first; the others count on.
    verbose : int
        0 hides the progress bar.

    Returns
    -------
    DataFrame with a row per candidate and score: `metric`, `candidate`, `mean`, `std`
    (over repeats, n - 1) and `each`, a list. The first candidate is `NOISE_FLOOR`:
    what lies within its spread cannot be told from perfection by this protocol.
    """
    judges = {
        "discriminative score": (discriminative_score, steps[0]),
        "predictive score": (predictive_score, steps[1]),
    }
    candidates = {NOISE_FLOOR: real, **candidates}
    rows = []
    with tqdm(total=2 * len(candidates) * repeats, disable=not verbose) as bar:
        for candidate, windows in candidates.items():
            for metric, (judge, updates) in judges.items():
                each = []
                for i in range(repeats):
                    bar.set_description(f"{candidate}, {metric}")
                    each.append(judge(real, windows, steps=updates, seed=seed + i))
                    bar.update()
                std = float(np.std(each, ddof=1)) if repeats > 1 else np.nan
                rows.append((metric, candidate, float(np.mean(each)), std, each))
    return pd.DataFrame(rows, columns=["metric", "candidate", "mean", "std", "each"])


def _check(real: np.ndarray, synthetic: np.ndarray) -> None:
    shapes = np.shape(real), np.shape(synthetic)
    if len(shapes[0]) != 3 or shapes[0][1:] != shapes[1][1:] or 0 in shapes[1]:
        raise ValueError(
            f"real, synthetic: shapes {shapes[0]} and {shapes[1]} came; give windows "
            "(n, length, features), of one length and with the same features."
        )
    if shapes[0][1] < 2 or shapes[0][2] < 2:
        raise ValueError(
            f"real: windows of {shapes[0][1]} days and {shapes[0][2]} features came; "
            "the judges have half as many units as features and look a day ahead, so "
            "give at least 2 of both."
        )


def _split(windows: np.ndarray, random) -> tuple[np.ndarray, np.ndarray]:
    """Deal windows at random to training and test."""
    order = random.permutation(len(windows))
    cut = int(TRAIN_SHARE * len(windows))
    return windows[order[:cut]], windows[order[cut:]]


def _gru(shape, *, seed: int, every_day: bool, units: int = 0) -> keras.Model:
    """Make the judge: one GRU and a dense layer, after the last day or every day.

    The weights start as in TensorFlow 1, which the authors used: Glorot's uniform
    draws throughout, and gates that are half open by a bias of 1.
    """
    units = units or shape[1] // 2
    drawn = [keras.initializers.GlorotUniform(3 * seed + i) for i in range(3)]
    recurrent = layers.GRU(
        units,
        return_sequences=every_day,
        kernel_initializer=drawn[0],
        recurrent_initializer=drawn[1],
    )
    answer = keras.layers.Dense(
        1, "sigmoid" if every_day else None, kernel_initializer=drawn[2]
    )
    model = keras.Sequential([keras.Input(shape), recurrent, answer])
    *weights, bias = recurrent.get_weights()
    bias[: 2 * units] = 1
    recurrent.set_weights([*weights, bias])
    return model


def _train(model, x, y, loss, *, steps, seed, batch_size) -> None:
    model.compile(
        keras.optimizers.Adam(1e-3, epsilon=1e-8),
        loss,
        steps_per_execution=min(50, steps),
        jit_compile=False,
    )
    loop.fit(
        model,
        np.ascontiguousarray(x),
        np.ascontiguousarray(y, dtype="float32"),
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        verbose=0,
    )
