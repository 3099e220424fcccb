"""Fidelity by many splits: can a judge tell synthetic from real? Chapter 07.

Any judge reads some regime of the days that it learnt, so a single split of real
against real data scores anything from .3 to .7. Over many random deals of the training
days that averages out, and real days that the judge has not met give the floor.
"""

from collections.abc import Iterator

import numpy as np
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from gan_notes.evaluation import judges
from gan_notes.evaluation.baselines import days_of
from gan_notes.evaluation.distances import thin

HANDS = 3
SPLITS = {"boosting": 20, "lstm": 8}


def deal(
    windows: int,
    length: int,
    *,
    block: int | None = None,
    stride: int = 1,
    apart: int = 1,
    seed=0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Deal blocks of days to three hands, and give each hand the windows inside them.

    Parameters
    ----------
    windows : int
        How many there are, in the order of time.
    length : int
        Days of a window.
    block : int
        Days of a block; None: three lengths, 72 for windows of 24.
    stride : int
        Days from one window to the next.
    apart : int
        Days between the windows that a hand gets of a block; `length`: windows that
        share no day, so that they count as independent.
    seed : int or sequence of ints
        The same seed deals the same hands.

    Returns
    -------
    three int arrays of one size: positions of windows, in the order of time. No window
    of one hand shares a day with a window of another.

    Raises
    ------
    ValueError
        There are fewer than six blocks, two a hand.

    Examples
    --------
    >>> [len(hand) for hand in deal(6626, 24, seed=1)]
    [1470, 1470, 1470]
    """
    block = 3 * length if block is None else block
    first_days = np.arange(windows) * stride
    days = (windows - 1) * stride + length
    count = days // block
    if count < 2 * HANDS or block < length + stride - 1:
        raise ValueError(
            f"real_train: {windows:,} windows cover {days:,} days, and {2 * HANDS} "
            f"blocks of {block} days are needed to deal two to each of {HANDS} hands, "
            f"each block at least a window long. Take a longer period or shorter "
            f"windows."
        )
    random = np.random.default_rng(seed)
    offset = random.integers(days - count * block + 1)
    order = random.permutation(count)[: count // HANDS * HANDS]
    place = first_days - offset
    within = place % block
    inside = (place >= 0) & (within <= block - length) & (within % apart < stride)
    block_of = np.where(inside, place // block, -1)
    hands = [np.flatnonzero(np.isin(block_of, hand)) for hand in np.split(order, HANDS)]
    size = min(len(hand) for hand in hands)  # a stride leaves some blocks one less
    return tuple(thin(hand, size) for hand in hands)


def rounds(
    real_train: np.ndarray,
    synthetic: np.ndarray | list[np.ndarray] | None,
    *,
    splits: int,
    limit: int | None = None,
    stride: int = 1,
    apart: int = 1,
    seed: int = 0,
) -> Iterator[tuple[int, int, np.ndarray, np.ndarray, np.ndarray]]:
    """Pair the first hand of each split with windows that play the synthetic ones.

    Parameters
    ----------
    real_train : float array (n, length, features)
        Changes, in the order of time, `stride` days apart.
    synthetic : float array (m, length, features), a list of them, or None
        Of one training, or one array per training. None: the second and third hand,
        fresh real days.
    splits : int
        How often the days are dealt; the deals depend on `seed` alone.
    limit : int
        At most so many windows of a kind; None: as many as a hand has.
    stride, seed
        As in `signed_auc`.
    apart : int
        As in `deal`.

    Yields
    ------
    training, split : ints
    known, taught, asked : float arrays
        Windows of the first hand, as many that play the synthetic ones, and others of
        those: at most as many where `synthetic` is None, all that are left otherwise.
    """
    if stride == 1:
        days_of(real_train)
    given = synthetic if isinstance(synthetic, list | tuple) else [synthetic]
    for split in range(splits):
        hands = deal(
            len(real_train),
            real_train.shape[1],
            stride=stride,
            apart=apart,
            seed=[seed, split],
        )
        size = min(len(hands[0]), limit or len(hands[0]))
        for training, source in enumerate(given):
            if source is None:
                known, taught, asked = (real_train[thin(h, size)] for h in hands)
                yield training, split, known, taught, asked
                continue
            order = np.random.default_rng([seed, split, training]).permutation(
                len(source)
            )
            half = min(size, len(source) // 2)
            known = real_train[thin(hands[0], half)]
            yield training, split, known, source[order[:half]], source[order[half:]]


def signed_auc(
    real_train: np.ndarray,
    real_test: np.ndarray,
    synthetic: np.ndarray | list[np.ndarray] | None,
    *,
    judge: str = "boosting",
    splits: int | None = None,
    steps: int | None = None,
    limit: int | None = None,
    stride: int = 1,
    seed: int = 0,
    verbose: int = 0,
) -> np.ndarray:
    """Let a judge tell synthetic from real windows, in many splits of the real ones.

    In each split blocks of training days are dealt to three hands (`deal`). The judge
    learns the first hand against as many synthetic windows, and is asked about
    held-out windows against as many other synthetic ones. Fresh real days are what a
    perfect generator gives: the second hand is then learnt as synthetic, the third
    asked about. Swapping the first two turns every verdict round, so over all deals
    fresh days score .5, whatever the held-out period is like.

    Parameters
    ----------
    real_train, real_test : float arrays (n, length, features)
        Changes, in the order of time, `stride` days apart.
    synthetic : float array (m, length, features), a list of them, or None
        Of one training, or one array per training; changes too. None: fresh real days.
    judge : "boosting" or "lstm"
        See `judges.classify`.
    splits : int
        How often; None: 20 for boosting, 8 for the LSTM. The splits are the same
        whatever the candidate.
    steps : int
        Trees or updates of the judge; None: its own number.
    limit : int
        At most so many windows of a kind, learnt and asked; None: as many as there
        are. Candidates are compared with one limit.
    stride : int
        Days between neighbouring real windows; at least the length where windows
        are independent.
    seed : int
        Of deals, draws and judges.
    verbose : int
        1 shows a progress bar.

    Returns
    -------
    float array (trainings, splits)
        Areas under the ROC curve, *signed*: .5 is chance, 1 is told apart always, and
        below .5 the judge learnt a difference that turned round. Its mean and interval
        are those of `distances.mean_interval`.

    Raises
    ------
    ValueError
        Arrays that do not match, missing values, too few windows, or windows that are
        not `stride` days apart.

    Notes
    -----
    A classifier two-sample test, Lopez-Paz and Oquab (2017), out of time.
    """
    if judge not in SPLITS:
        raise ValueError(f"judge: {judge!r} is not one of 'boosting', 'lstm'.")
    real_train = _checked("real_train", real_train)
    real_test = _checked("real_test", real_test, real_train)
    if synthetic is not None:
        given = synthetic if isinstance(synthetic, list | tuple) else [synthetic]
        synthetic = [_checked("synthetic", one, real_train) for one in given]
    splits = SPLITS[judge] if splits is None else splits
    areas = np.empty((len(synthetic or [None]), splits))
    options = {"splits": splits, "limit": limit, "stride": stride, "seed": seed}
    for training, split, known, taught, asked in tqdm(
        rounds(real_train, synthetic, **options),
        total=areas.size,
        desc=f"AUC, {judge}",
        disable=not verbose,
    ):
        held_out = thin(real_test, min(len(asked), limit or len(asked)))
        asked = thin(asked, len(held_out))
        score = judges.classify(
            np.concatenate([known, taught]),
            np.repeat([0, 1], len(taught)),
            np.concatenate([held_out, asked]),
            scale=judges.scale_of(known),
            judge=judge,
            steps=steps,
            seed=seed + split,
        )
        areas[training, split] = roc_auc_score(np.repeat([0, 1], len(asked)), score)
    return areas


def _checked(name: str, windows: np.ndarray, like=None) -> np.ndarray:
    windows = np.asarray(windows, dtype="float64")
    if windows.ndim != 3 or len(windows) < 2:
        raise ValueError(
            f"{name}: shape {windows.shape} is not (n, length, features) with at least "
            "two windows."
        )
    if not np.isfinite(windows).all():
        raise ValueError(f"{name}: some values are missing or infinite; drop them.")
    if like is not None and windows.shape[1:] != like.shape[1:]:
        raise ValueError(
            f"{name}: windows are {windows.shape[1:]} (days, features), those of "
            f"real_train {like.shape[1:]}; give changes of one length and the same "
            "features."
        )
    return windows
