"""Trained judges: classifiers for fidelity, forecasters for utility. Chapter 07.

Every judge takes windows of *changes* (`Windows.changes`: log-returns, or first
differences where values can be negative), shape (n, length, features), so that
generators trained on different representations stand on common ground. Real windows
come in the order of time.
"""

import functools

import keras
import numpy as np
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier

from gan_notes.training import loop

UNITS = 24  # of each LSTM below: the hidden size of the TimeGAN that it judges
BATCH = 128
LOSSES = {
    "classes": functools.partial(keras.losses.BinaryCrossentropy, from_logits=True),
    "absolute": keras.losses.MeanAbsoluteError,
}
STEPS = {"lstm": 1000, "boosting": 100}  # updates, trees


def window_features(changes: np.ndarray) -> np.ndarray:
    """Describe each window by what finance looks at; input of the boosting judge.

    Per ticker: mean, standard deviation, mean and largest absolute change, lowest,
    highest, kurtosis, autocorrelation at lag 1, and of absolute changes at lags 1, 2
    and 5; then every correlation between two tickers, and the spread over days of the
    mean absolute change of all tickers.

    Parameters
    ----------
    changes : float array (n, length, features)

    Returns
    -------
    float array (n, 11 features + pairs of features + 2)

    Raises
    ------
    ValueError
        Windows of fewer than two changes: they have no autocorrelation.
    """
    changes = np.asarray(changes, dtype="float64")
    if changes.ndim != 3 or changes.shape[1] < 2:
        raise ValueError(
            f"changes: shape {changes.shape} is not (n, length, features) with a "
            f"length of at least 2; use longer windows."
        )
    size = np.abs(changes)
    centred = changes - changes.mean(axis=1, keepdims=True)
    variance = (centred**2).mean(axis=1)
    safe = np.maximum(variance, 1e-12)
    z = centred / np.sqrt(safe)[:, None]
    columns = [changes.mean(axis=1), np.sqrt(variance), size.mean(axis=1)]
    columns += [size.max(axis=1), changes.min(axis=1), changes.max(axis=1)]
    columns += [(z**4).mean(axis=1), (z[:, 1:] * z[:, :-1]).mean(axis=1)]
    spread = size - size.mean(axis=1, keepdims=True)
    scale = np.maximum((spread**2).mean(axis=1), 1e-12)
    for lag in (1, 2, 5):
        lag = min(lag, changes.shape[1] - 1)
        columns.append((spread[:, lag:] * spread[:, :-lag]).mean(axis=1) / scale)
    first, second = np.triu_indices(changes.shape[2], k=1)
    columns.append((z[:, :, first] * z[:, :, second]).mean(axis=1))
    market = size.mean(axis=2)
    columns.append(np.stack([market.std(axis=1), market.max(axis=1)], axis=1))
    return np.concatenate(columns, axis=1)


def scale_of(changes: np.ndarray) -> np.ndarray:
    """Give the standard deviation per feature, 1 where nothing varies."""
    scale = np.std(changes, axis=(0, 1), dtype="float64")
    return np.where(scale > 0, scale, 1.0)


def classify(
    changes: np.ndarray,
    synthetic: np.ndarray,
    asked: np.ndarray,
    *,
    scale: np.ndarray,
    judge: str = "boosting",
    steps: int | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Let a judge learn which windows are synthetic, and ask it about others.

    Parameters
    ----------
    changes : float array (n, length, features)
        What it learns from.
    synthetic : int array (n,)
        1 for the synthetic ones, 0 for the real ones.
    asked : float array (m, length, features)
    scale : float array (features,)
        By which all changes are divided, see `scale_of`.
    judge : "lstm" or "boosting"
        An LSTM that reads the days, or gradient boosting on `window_features`.
    steps : int
        Updates of the LSTM, or trees; None: 1,000 updates, 100 trees.
    seed : int
        Of weights and minibatches.

    Returns
    -------
    float array (m,), log-odds of "synthetic": above 0 is the verdict "synthetic"
    """
    if judge not in STEPS:
        raise ValueError(f"judge: {judge!r} is not one of 'lstm', 'boosting'.")
    steps = STEPS[judge] if steps is None else steps
    x, test = changes / scale, asked / scale
    if judge == "lstm":
        model = _lstm(x, synthetic[:, None], "classes", steps=steps, seed=seed)
        return model.predict_on_batch(test.astype("float32"))[:, 0]
    # Stopping early would hold back windows that overlap those it learns from.
    model = HistGradientBoostingClassifier(
        max_iter=steps, early_stopping=False, random_state=seed
    )
    model.fit(window_features(x), synthetic)
    return model.decision_function(window_features(test))


def chance_limit(n_real: int, n_synthetic: int, *, overlap: int = 1) -> float:
    """Two-sided AUC that chance alone stays below in 19 of 20 samples.

    Parameters
    ----------
    n_real, n_synthetic : int
        Test windows of each class.
    overlap : int
        Days that a real window shares with its neighbours: only n_real / overlap
        windows count as independent, which errs on the side of chance.

    Returns
    -------
    .5 + 1.96 sqrt((a + b + 1) / (12 a b)), a and b the independent windows: the
    variance of the Mann-Whitney statistic under equality.

    Examples
    --------
    >>> round(chance_limit(100, 100), 3)
    0.58
    """
    a, b = max(n_real / overlap, 1.0), n_synthetic
    limit = 0.5 + stats.norm.ppf(0.975) * np.sqrt((a + b + 1) / (12 * a * b))
    return float(min(limit, 1.0))


def forecasting_task(
    changes: np.ndarray, scale: np.ndarray, *, task: str
) -> tuple[np.ndarray, np.ndarray]:
    """Cut windows of changes into what a forecaster sees and what it has to say.

    Parameters
    ----------
    changes : float array (n, length, features)
    scale : float array (features,)
        Standard deviations of the real training changes: the unit of the errors.
    task : "levels" or "absolute"
        Paths that start at 0 on the window's first day, or absolute changes
        (volatility).

    Returns
    -------
    x : float32 array (n, length - 1, features), all days but the last
    y : float32 array (n, features), the last day
    """
    z = np.asarray(changes, dtype="float64") / scale
    if task == "levels":
        z = np.concatenate([np.zeros_like(z[:, :1]), z.cumsum(axis=1)], axis=1)
    elif task == "absolute":
        z = np.abs(z)
    else:
        raise ValueError(f"task: {task!r} is not one of 'levels', 'absolute'.")
    return z[:, :-1].astype("float32"), z[:, -1].astype("float32")


def utility(
    source: np.ndarray,
    test_real: np.ndarray,
    *,
    scale: np.ndarray,
    task: str = "absolute",
    looks: int = 10,
    steps: int = 400,
    seed: int = 0,
) -> tuple[np.ndarray, list[float]]:
    """Train a forecaster on one source of windows, test it on held-out real ones.

    With synthetic windows this is train-on-synthetic, test-on-real (TSTR), with real
    training windows train-on-real, test-on-real (TRTR). Their ratio is the price
    of having no real data: 1 is none.

    Parameters
    ----------
    source, test_real : float arrays (n, length, features)
        Changes to learn from, and held-out changes in the order of time.
    scale, task
        See `forecasting_task`. One scale for every source.
    looks : int
        Points of the error curve, evenly spaced over the updates.
    steps : int
        Updates in all.
    seed : int
        Of weights and minibatches.

    Returns
    -------
    errors : float array (n_test,), absolute error at the end, mean over features
    curve : mean absolute error on the held-out windows at each look

    Notes
    -----
    Esteban, Hyland and Raetsch (2017) name the comparison. The forecaster is an LSTM
    with an absolute loss, so its best answer is a conditional median.
    """
    x, y = forecasting_task(source, scale, task=task)
    test_x, test_y = forecasting_task(test_real, scale, task=task)
    curve = []

    def errors(model):
        return np.abs(model.predict_on_batch(test_x) - test_y).mean(axis=1)

    model = _lstm(
        x,
        y,
        "absolute",
        steps=steps,
        seed=seed,
        looks=min(looks, steps),
        look=lambda model: curve.append(float(errors(model).mean())),
    )
    return errors(model), curve


def naive_errors(
    train_real: np.ndarray, test_real: np.ndarray, *, scale: np.ndarray, task: str
) -> dict[str, np.ndarray]:
    """Errors of two forecasts that read no pattern: what any model has to beat.

    Returns
    -------
    dict of arrays (n_test,): "constant" answers the median of the training period's
    last days, "no change" the day before.
    """
    _, y = forecasting_task(train_real, scale, task=task)
    test_x, test_y = forecasting_task(test_real, scale, task=task)
    constant = np.abs(test_y - np.median(y, axis=0)).mean(axis=1)
    return {
        "constant": constant,
        "no change": np.abs(test_y - test_x[:, -1]).mean(axis=1),
    }


def _lstm(x, y, loss, *, steps, seed, looks=1, look=None):
    """Train an LSTM that reads `x` and answers `y` after the last day.

    `look` is called with the model `looks` times on the way, the last time at the end.
    """
    execution = min(50, max(steps // looks, 1))
    model = _network(x.shape[1:], y.shape[-1], loss, execution)
    kernel = keras.initializers.GlorotUniform(seed)
    recurrent = keras.initializers.Orthogonal(seed=seed)
    bias = np.repeat([0.0, 1.0, 0.0, 0.0], UNITS)  # 1 opens the gate that remembers
    hidden, answer = (x.shape[2], 4 * UNITS), (UNITS, y.shape[-1])
    drawn = [kernel(hidden), recurrent((UNITS, 4 * UNITS)), bias]
    model.set_weights([*drawn, kernel(answer), np.zeros(answer[1:])])
    for variable in model.optimizer.variables:
        if variable is not model.optimizer.learning_rate:
            variable.assign(keras.ops.zeros_like(variable))
    model.loss_history = None
    moments = list(np.linspace(steps / looks, steps, looks))

    def passed(batch, logs):
        if int(model.optimizer.iterations) >= moments[0] - 1e-9:
            del moments[0]
            look(model)

    watch = keras.callbacks.LambdaCallback(on_train_batch_end=passed) if look else None
    loop.fit(
        model,
        x.astype("float32"),
        y.astype("float32"),
        steps=steps,
        batch_size=BATCH,
        seed=seed,
        callbacks=[watch] if look else [],
        verbose=0,
    )
    return model


@functools.lru_cache(maxsize=4)
def _network(shape, outputs, loss, execution):
    """Build a network once: its graph takes longer to trace than to train briefly."""
    inputs = keras.Input(shape)
    answer = keras.layers.Dense(outputs)(keras.layers.LSTM(UNITS)(inputs))
    model = keras.Model(inputs, answer)
    # XLA would spend longer on compiling than these few hundred steps take.
    model.compile(
        keras.optimizers.Adam(3e-3),
        LOSSES[loss](),
        steps_per_execution=execution,
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)
    return model
