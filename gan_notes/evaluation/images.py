"""Images judged by a frozen classifier, and by what real images score; chapter 04.

The judge is a classifier that ships with the package (`load_judge`). Its last hidden
layer gives the features in which samples are compared. The numbers hold for this judge
alone: never set them beside published distances in Inception features. Each stands
beside its floor, what real images score against other real ones.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors

from gan_notes.evaluation import distances
from gan_notes.models import pretrained
from gan_notes.models.dcgan import IMAGE_SHAPE, MOMENTUM, STRIDE, kernels
from gan_notes.training import draws, loop

STORED = Path(__file__).parent / "stored" / "image_recipes.json"
SCORES = STORED.with_name("image_scores.json")  # of what ships
CLASSES = 10
JUDGES = {"mnist": "judge-mnist", "fashion": "judge-fashion"}  # shipped, by their data
NEIGHBOURS = 5  # k of Naeem et al. (2020)
SURE = 0.9  # probability from which an image counts as named surely
COMPARED = 1000  # images on each side of all but the shares
STEADY = 0.99  # momentum of the judge's running statistics: it has time to gather them
FLOOR_DRAWS = 20  # of training images, against the held-out ones
COMPONENTS, MIXED = 50, 30  # principal components and Gaussians, of `baselines`
FITTED = 10_000  # images at most that they are fitted to


def train_classifier(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    epochs: int = 16,
    network: keras.Model | None = None,
    seed: int = 0,
    checkpoint_dir: str = "",
) -> keras.Model:
    """Train a small convolutional classifier of ten classes.

    Parameters
    ----------
    images : float array (n, 28, 28, 1)
        In [-1, 1].
    labels : integer array (n,)
        0 to 9.
    epochs : int
        The training draws as many images as that many passes have.
    network : keras.Model
        Another one to train, images to logits, such as `build_judge`. Without, images
        are moved by up to a pixel.
    seed : int
        The same seed gives the same weights, draws and moves.
    checkpoint_dir : path
        As for :func:`gan_notes.training.loop.fit`.

    Returns
    -------
    Keras model, images to logits (n, 10). Trained on 4,000 of the offline digits it
    is right on 97 % of the other 1,000; chapter 04 computes its own figure.

    Raises
    ------
    ValueError
        There are not as many labels as images.

    Notes
    -----
    After LeCun et al. (1998): strided convolutions, then a dense output.
    """
    if len(images) != len(labels):
        raise ValueError(
            f"labels: {len(labels)} came for {len(images)} images; give one an image."
        )
    layers, draw = keras.layers, kernels(keras.initializers.HeNormal, seed + 2)
    classifier = network or keras.Sequential(
        [
            keras.Input(IMAGE_SHAPE, name="image"),
            _translation(1, seed),
            *_block(16, draw, kernel=5),
            *_block(32, draw, kernel=5),
            layers.Flatten(),
            layers.Dense(CLASSES, kernel_initializer=draw()),
        ],
        name="classifier",
    )
    batch_size = 64
    updates = epochs * -(-len(images) // batch_size)
    classifier.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(3e-3, updates)
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=5,
        jit_compile=False,
    )
    loop.fit(
        classifier,
        images,
        labels,
        steps=updates,
        batch_size=batch_size,
        seed=seed,
        checkpoint_dir=checkpoint_dir,
        verbose=0,
    )
    return classifier


def build_judge(name: str, *, rotation: float = 0.02, seed: int = 0) -> keras.Model:
    """Build the classifier that ships as a judge, untrained.

    Parameters
    ----------
    name : str
        Also names its checkpoint.
    rotation : float
        In training, images are turned by up to this part of a turn, either way, and
        moved by up to two pixels.
    seed : int

    Returns
    -------
    Keras model, (n, 28, 28, 1) to logits (n, 10); its layer "features" gives 64
    numbers an image, none negative.
    """
    layers, draw = keras.layers, kernels(keras.initializers.HeNormal, seed)
    rotate = layers.RandomRotation(
        rotation, fill_mode="constant", fill_value=-1.0, seed=seed
    )
    return keras.Sequential(
        [
            keras.Input(IMAGE_SHAPE, name="image"),
            _translation(2, seed),
            *([rotate] if rotation else []),
            *_block(32, draw, strides=1, momentum=STEADY),
            *_block(64, draw, momentum=STEADY),
            *_block(64, draw, momentum=STEADY),
            layers.Flatten(),
            layers.Dropout(0.2, seed=seed),
            layers.Dense(64, "relu", kernel_initializer=draw(), name="features"),
            layers.Dense(CLASSES, kernel_initializer=draw()),
        ],
        name=name,
    )


def _translation(pixels, seed):
    """Return the layer that moves images in training, whole pixels, equally often."""
    return keras.layers.RandomTranslation(
        (pixels + 0.5) / IMAGE_SHAPE[0],
        (pixels + 0.5) / IMAGE_SHAPE[1],
        fill_mode="constant",
        fill_value=-1.0,
        interpolation="nearest",
        seed=seed,
    )


def _block(channels, draw, *, kernel=3, strides=STRIDE, momentum=MOMENTUM):
    """Return a convolution, its normalisation and a ReLU."""
    layers = keras.layers
    return (
        layers.Conv2D(
            channels, kernel, strides, "same", use_bias=False, kernel_initializer=draw()
        ),
        layers.BatchNormalization(momentum=momentum),
        layers.ReLU(),
    )


def load_judge(data: str = "mnist") -> keras.Model:
    """Return the frozen judge of images of 28 x 28 pixels that ships.

    Parameters
    ----------
    data : "mnist" or "fashion"
        What it was trained on: 4,000 of the offline digits, or the 60,000 training
        images of Fashion-MNIST. ``pretrained.provenance("judge-mnist")`` tells how,
        and how often it is right on images it was not trained on.

    Raises
    ------
    ValueError
        No judge of that name ships.
    """
    if data not in JUDGES:
        raise ValueError(f"data: {data!r} has no judge; choose from {[*JUDGES]}.")
    judge = pretrained.load(JUDGES[data])
    judge.trainable = False
    return judge


def image_scores(
    candidates: dict[str, np.ndarray],
    train: np.ndarray,
    held_out: np.ndarray,
    *,
    judge: keras.Model,
    seed: int = 0,
) -> pd.DataFrame:
    """Judge synthetic images beside real ones that their generator has not seen.

    Parameters
    ----------
    candidates : dict of float arrays (n, 28, 28, 1)
        Synthetic images in [-1, 1] by their names, each at least 1,000; 10,000 to know
        shares of classes to a percent.
    train : float array
        What the generators were trained on, at least 1,000.
    held_out : float array
        Real images that neither generators nor judge were trained on, at least 1,000;
        the first 1,000 are compared.
    judge : keras.Model
        From `load_judge`.
    seed : int
        Of the draws of training images.

    Returns
    -------
    DataFrame, a row a candidate, and first the row "real": the mean over draws of 1,000
    training images. Its columns:

    - "classes": those whose share is at least a quarter of that of the training images;
    - "class TV": total variation between the shares of classes and those of the
      training images, as the judge names both; a fresh real sample of that size has
      the one in "class TV, floor" (mean over draws);
    - "confident share": of images that the judge names with a probability of 90 %,
      over that of the held-out ones;
    - "Frechet": distance to the held-out features, over its mean for real images;
    - "KID": unbiased squared discrepancy to the held-out features, less its mean for
      real images, in their standard deviations;
    - "precision", "recall", "density", "coverage" of k = 5 neighbours; two real samples
      have a coverage of .969 and a density of 1 in the mean;
    - "nearest pixels", "nearest features": the median distance to the nearest training
      image, over that of held-out images. Copies are near 0; the row "real", which is
      copies, has none.

    Raises
    ------
    ValueError
        Fewer than 1,000 of a kind, or images of another shape.

    Notes
    -----
    Heusel et al. (2017), Binkowski et al. (2018), Kynkaanniemi et al. (2019), Naeem et
    al. (2020), all in the features of this judge, and comparable with no others.
    """
    for name, images in {"train": train, "held_out": held_out, **candidates}.items():
        if len(images) < COMPARED or images.shape[1:] != judge.input_shape[1:]:
            raise ValueError(
                f"{name}: {images.shape} came; give at least {COMPARED:,} images of "
                f"shape {judge.input_shape[1:]}."
            )
    random = np.random.default_rng(seed)
    held_out = held_out[:COMPARED]
    known, real = look(judge, train), look(judge, held_out)
    target, sure = known.shares(), real.sure()
    parts = [random.choice(len(train), COMPARED, False) for _ in range(FLOOR_DRAWS)]
    draws_of_real = [known.take(rows) for rows in parts]
    floors = pd.DataFrame([_between(real.features, x.features) for x in draws_of_real])
    near = {
        "nearest pixels": _Nearest(_flat(train), _flat(held_out)),
        "nearest features": _Nearest(known.features, real.features),
    }

    def row(seen, between):
        # The same draws for all: a row does not hang on what else is judged.
        fresh = np.random.default_rng([seed, 1]).multinomial(
            len(seen.features), target, size=FLOOR_DRAWS
        )
        gaps = [total_variation(one / one.sum(), target) for one in fresh]
        return {
            "classes": int((seen.shares() >= target / 4).sum()),
            "class TV": total_variation(seen.shares(), target),
            "class TV, floor": np.mean(gaps),
            "confident share": seen.sure() / sure,
            **between,
            "Frechet": between["Frechet"] / floors["Frechet"].mean(),
            "KID": (between["KID"] - floors["KID"].mean()) / floors["KID"].std(),
        }

    of_real = [
        row(seen, between)
        for seen, between in zip(draws_of_real, floors.to_dict("records"), strict=True)
    ]
    rows = {"real": pd.DataFrame(of_real).mean()}
    for name, images in candidates.items():
        seen = look(judge, images)
        between = _between(real.features, seen.features[:COMPARED])
        rows[name] = pd.Series(row(seen, between))
        for pool, own in zip(
            near, (_flat(images[:COMPARED]), seen.features[:COMPARED]), strict=True
        ):
            rows[name][pool] = near[pool].ratio(own)
    return pd.DataFrame(rows).T


def baselines(train: np.ndarray, n: int, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Draw images from what needs no network, for the rows beside a generator's.

    Parameters
    ----------
    train : float array (m, height, width, channels)
        In [-1, 1]; at least 50 images.
    n : int
        How many to draw of each.
    seed : int
        Fixes the fits and the draws.

    Returns
    -------
    dict of float32 arrays (n, height, width, channels)
        "copycat" replays training images; "Gaussian" and "mixture" draw from one and
        from 30 Gaussians, fitted in the 50 first principal components of the pixels;
        "noise" draws each pixel alone.
    """
    random = np.random.default_rng(seed)
    fitted = _flat(train[:FITTED])
    pca = PCA(COMPONENTS, random_state=seed).fit(fitted)
    # In double precision: the covariances are not positive otherwise.
    places = pca.transform(fitted).astype("float64")
    mixture = GaussianMixture(MIXED, reg_covar=1e-3, random_state=seed).fit(places)
    law = places.mean(axis=0), np.cov(places, rowvar=False)

    def gaussian():
        # Cholesky's factor has no sign that another order of sums could turn.
        return random.multivariate_normal(*law, n, method="cholesky")

    def pictures(places):
        pixels = pca.inverse_transform(places).clip(-1, 1)
        return pixels.reshape(n, *train.shape[1:]).astype("float32")

    return {
        "copycat": train[random.integers(len(train), size=n)],
        "Gaussian": pictures(gaussian()),
        "mixture": pictures(random.permutation(mixture.sample(n)[0])),
        "noise": random.uniform(-1, 1, (n, *train.shape[1:])).astype("float32"),
    }


@dataclass(frozen=True)
class Look:
    """What a judge sees of images.

    Attributes
    ----------
    probabilities : float32 array (n, 10), of the classes
    features : float32 array (n, 64), its last hidden layer
    """

    probabilities: np.ndarray
    features: np.ndarray

    def take(self, rows: np.ndarray) -> Look:
        """Return the look at some of the images."""
        return Look(self.probabilities[rows], self.features[rows])

    def shares(self) -> np.ndarray:
        """Return the share of each class, see `class_shares`."""
        return class_shares(self.probabilities.argmax(axis=1))

    def sure(self) -> float:
        """Return the share of images that are named with a probability of 90 %."""
        return float((self.probabilities.max(axis=1) >= SURE).mean())


def look(judge: keras.Model, images: np.ndarray) -> Look:
    """Let a judge see images (n, 28, 28, 1)."""
    seen_by = [judge.outputs[0], judge.get_layer("features").output]
    both = keras.Model(judge.inputs[0], keras.ops.concatenate(seen_by, axis=1))
    seen = draws.in_parts(both, np.asarray(images, "float32"))
    logits = seen[:, :CLASSES]
    return Look(np.asarray(keras.ops.softmax(logits)), seen[:, CLASSES:])


class _Nearest:
    """How near samples are to training ones, over how near held-out ones are."""

    def __init__(self, train: np.ndarray, held_out: np.ndarray):
        self.index = NearestNeighbors(n_neighbors=1).fit(train)
        self.reference = self.ratio(held_out, over=1.0)

    def ratio(self, samples: np.ndarray, over: float | None = None) -> float:
        gaps = self.index.kneighbors(samples)[0]
        return float(np.median(gaps)) / (over or self.reference)


def _between(real: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Return what compares two samples of features of one size."""
    inside = distances.inside_balls(real, other, neighbours=NEIGHBOURS)
    back = distances.inside_balls(other, real, neighbours=NEIGHBOURS)
    return {
        "Frechet": distances.frechet_distance(real, other),
        "KID": kernel_distance(real, other),
        "precision": float(inside.any(axis=0).mean()),
        "recall": float(back.any(axis=0).mean()),
        "density": float(inside.sum(axis=0).mean() / NEIGHBOURS),
        "coverage": float(inside.any(axis=1).mean()),
    }


def kernel_distance(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Return the unbiased squared discrepancy under a kernel of third degree, KID.

    Parameters
    ----------
    real, synthetic : float arrays (n, d) and (m, d)

    Returns
    -------
    0 in the mean where both come from one distribution; below 0 by chance.

    Notes
    -----
    Binkowski et al. (2018): k(x, y) = (x y / d + 1)^3.
    """

    def kernel(x, y):
        base = x.astype("float64") @ y.T / x.shape[1] + 1
        return base * base * base  # a tenth of the time of a power

    def within(x):
        gram = kernel(x, x)
        return (gram.sum() - np.trace(gram)) / (len(x) * (len(x) - 1))

    return within(real) + within(synthetic) - 2 * kernel(real, synthetic).mean()


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1)


def recipes(data: str = "mnist") -> tuple[pd.DataFrame, dict]:
    """Return what trainings by recipes of chapter 04 scored, computed before.

    Parameters
    ----------
    data : str
        What they were trained on: "mnist", "fashion", or "stacks" of three digits.

    Returns
    -------
    rows : DataFrame
        A row for each training and each time it was judged: "recipe", "seed", "step",
        "minutes" of one core, and the columns of `image_scores` for 2,000 images; of
        stacks "modes" of 1,000 and "KL to uniform", in nats, of 25,600 images.
    about : dict
        Command, versions and hardware; "trainings", each with its commit, date and
        first losses, and "failed", a sentence, where it diverged.
    """
    about = json.loads(STORED.read_text(encoding="utf-8"))
    rows = pd.DataFrame(about.pop("rows"), columns=about.pop("columns"))
    about["trainings"] = [run for run in about["trainings"] if run["data"] == data]
    mine = rows[rows["data"] == data].drop(columns="data").reset_index(drop=True)
    return mine.dropna(axis="columns", how="all"), about


def stored_scores(data: str = "mnist") -> tuple[pd.DataFrame, dict]:
    """Return how the shipped generators of images score, computed before.

    Parameters
    ----------
    data : str
        "mnist" or "fashion".

    Returns
    -------
    table : DataFrame
        What `image_scores` returned for 10,000 images of each generator and of each
        baseline, of which all but the shares take the first 1,000; a row for each.
    about : dict
        "drawn", "seed", the bars that digits were held to, versions and hardware.

    Examples
    --------
    >>> table, about = stored_scores()
    >>> about["drawn"], bool(table.loc["copycat", "coverage"] > 0.9)
    (10000, True)
    """
    about = json.loads(SCORES.read_text(encoding="utf-8"))[data]
    return pd.DataFrame.from_dict(about.pop("rows"), orient="index"), about


def probabilities(classifier: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the classifier's probability of each class, float32, (n, 10)."""
    return np.asarray(keras.ops.softmax(draws.in_parts(classifier, images)))


def classify(classifier: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the most probable class of each image, int64, (n,)."""
    return probabilities(classifier, images).argmax(axis=1)


def classify_stacks(classifier: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the class, 0 to 999, of images (n, height, width, 3) of three digits.

    Each colour is classified alone, see :func:`gan_notes.data.images.stack_digits`.
    """
    parts = [classify(classifier, images[..., i : i + 1]) for i in range(3)]
    return np.stack(parts, axis=1) @ [100, 10, 1]


def class_shares(classes: np.ndarray) -> np.ndarray:
    """Return the share of each of the ten classes, float64, (10,), summing to 1.

    Examples
    --------
    >>> class_shares(np.array([0, 0, 1, 9]))[[0, 1, 9]].tolist()
    [0.5, 0.25, 0.25]
    """
    return np.bincount(classes, minlength=CLASSES) / len(classes)


def total_variation(p: np.ndarray, q: np.ndarray) -> float:
    """Return the total variation distance between two histograms of shares.

    Half the sum of absolute differences: 0 where they agree, 1 where they share no
    class. It is the largest difference that any set of classes can show.

    Examples
    --------
    >>> total_variation(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    1.0
    """
    return float(0.5 * np.abs(p - q).sum())
