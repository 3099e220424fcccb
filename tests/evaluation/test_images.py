import os
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import pairwise_distances

from gan_notes.data.images import load_images
from gan_notes.evaluation import images
from gan_notes.models import pretrained


@pytest.fixture(scope="module")
def digits():
    pixels, labels = load_images("mnist", seed=0)
    return pixels[:4000], labels[:4000], pixels[4000:], labels[4000:]


@pytest.mark.long
def test_classifier_reads_held_out_digits(digits):
    train_x, train_y, test_x, test_y = digits
    classifier = images.train_classifier(train_x, train_y, seed=0)
    classes = images.classify(classifier, test_x)
    assert (classes == test_y).mean() > 0.95  # .97 where it was written
    noise = np.random.default_rng(0).uniform(-1, 1, test_x.shape).astype("float32")
    shares = images.class_shares(images.classify(classifier, noise))
    real = images.class_shares(test_y)
    assert images.total_variation(shares, real) > 0.3  # noise must not pass


@pytest.mark.long
def test_classifier_depends_on_its_seed_alone(digits):
    pixels, labels = digits[0][:256], digits[1][:256]

    def logits(seed):
        model = images.train_classifier(pixels, labels, epochs=1, seed=seed)
        return model(pixels[:8], training=False).numpy()

    np.random.seed(1)  # noqa: NPY002  the global state must not matter
    one = logits(5)
    np.random.seed(2)  # noqa: NPY002
    again = logits(5)
    # Float sums run in another order on two threads.
    np.testing.assert_allclose(one, again, atol=1e-3)
    assert np.abs(one - logits(6)).max() > 0.1


def test_classifier_wants_a_label_for_each_image(digits):
    with pytest.raises(ValueError, match="3 came for 4 images"):
        images.train_classifier(digits[0][:4], digits[1][:3])


def test_kernel_distance_is_unbiased_and_sees_a_shift():
    random = np.random.default_rng(0)

    def drawn(shift=0.0):
        return random.normal(shift, 1, (60, 4))

    null = [images.kernel_distance(drawn(), drawn()) for _ in range(400)]
    error = np.std(null) / 20
    assert abs(np.mean(null)) < 3 * error
    assert min(null) < 0  # a biased estimate is never below 0
    assert images.kernel_distance(drawn(), drawn(0.5)) > 3 * np.std(null)
    # By hand: two points at 0 and 1 against two at 2, k(x, y) = (xy + 1)^3.
    found = images.kernel_distance(np.array([[0.0], [1.0]]), np.array([[2.0], [2.0]]))
    assert found == pytest.approx(1 + 125 - 2 * (1 + 27) / 2)


@pytest.fixture(scope="module")
def judge():
    return images.load_judge("mnist")


def test_the_judge_is_as_good_as_its_provenance_says(digits, judge):
    stored = pretrained.provenance(images.JUDGES["mnist"])["held_out_accuracy"]
    assert stored >= 0.98
    assert not judge.trainable_weights
    right = images.classify(judge, digits[2]) == digits[3]
    assert right.mean() == pytest.approx(stored, abs=0.002)  # float16


@pytest.mark.long
def test_the_judge_of_clothes_is_as_good_as_its_provenance_says():
    stored = pretrained.provenance(images.JUDGES["fashion"])["held_out_accuracy"]
    assert stored >= 0.91
    judge = images.load_judge("fashion")
    assert not judge.trainable_weights
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    kept = list((home / "datasets" / "fashion-mnist").glob("t*-ubyte.gz"))
    if len(kept) < 4:
        pytest.skip("Fashion-MNIST is not whole in Keras's cache")
    pixels, labels = load_images("fashion")
    some = slice(-10_000, None, 5)
    right = images.classify(judge, pixels[some]) == labels[some]
    error = np.sqrt(stored * (1 - stored) / len(right))
    assert right.mean() == pytest.approx(stored, abs=3 * error)


def test_nothing_moves_the_images_that_are_asked_about(digits, judge):
    """A layer that moves images does so whenever it is not told to stand still."""
    first, second = (images.probabilities(judge, digits[2][:50]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.fixture(scope="module")
def table(digits, judge):
    """What the judge says of images whose fault is known."""
    train, labels, held_out, _ = digits
    random = np.random.default_rng(0)
    copies = train[random.choice(len(train), 2000, replace=False)]
    blurred = ndimage.gaussian_filter(copies, (0, 1.2, 1.2, 0))
    candidates = {
        "copycat": copies,
        "moved copies": np.roll(copies, 1, axis=2),
        "blurred": blurred,
        "no 7, 8, 9": train[labels < 7][:2000],
        "ten images": train[[*range(10)] * 200],
        "noise": random.uniform(-1, 1, copies.shape).astype("float32"),
    }
    return images.image_scores(candidates, train, held_out, judge=judge)


@pytest.mark.long
def test_real_images_score_what_theory_says(table):
    real = table.loc["real"]
    # 1 - 2^-5 and 1, for independent samples; the judge knows the training images.
    assert real["coverage"] == pytest.approx(0.969, abs=0.03)
    assert real["density"] == pytest.approx(1, abs=0.15)
    assert real["Frechet"] == pytest.approx(1)
    assert real["KID"] == pytest.approx(0, abs=1e-6)
    assert real["confident share"] == pytest.approx(1, abs=0.05)
    assert real["class TV"] < 2 * real["class TV, floor"]
    assert real["classes"] == 10


@pytest.mark.long
def test_each_fault_shows_where_it_should(table):
    real, copies = table.loc["real"], table.loc["copycat"]
    # A copycat looks perfect, except to what looks for copies.
    assert copies["coverage"] > real["coverage"] - 0.03
    assert copies["Frechet"] < 1.5
    assert copies[["nearest pixels", "nearest features"]].max() < 0.01
    # Moved by a pixel, its pixels look new; features are less easily fooled.
    moved = table.loc["moved copies"]
    assert moved["nearest pixels"] > 0.9
    assert moved["nearest features"] < 0.8
    blurred = table.loc["blurred"]
    assert blurred["Frechet"] > 3
    assert blurred["coverage"] < copies["coverage"] - 0.1
    assert blurred["class TV"] < 0.25  # still digits, where noise is not
    dropped = table.loc["no 7, 8, 9"]
    assert dropped["class TV"] == pytest.approx(0.3, abs=0.04)
    assert dropped["classes"] == 7
    assert dropped["coverage"] < copies["coverage"] - 0.2
    assert dropped["recall"] < copies["recall"] - 0.2
    assert dropped["precision"] > 0.9  # what it draws is real
    few = table.loc["ten images"]
    assert few["coverage"] < 0.2
    assert few["KID"] > 5
    noise = table.loc["noise"]
    assert noise["Frechet"] > 20
    assert noise["coverage"] < 0.02
    assert noise["density"] < 0.05
    assert noise["KID"] > 20


@pytest.mark.long
def test_baselines_draw_what_they_say(digits):
    train = digits[0][:1500]
    drawn, again = (images.baselines(train, 1200, seed=1) for _ in range(2))
    assert set(drawn) == {"copycat", "Gaussian", "mixture", "noise"}
    for name, pixels in drawn.items():
        assert (pixels.shape, pixels.dtype) == ((1200, 28, 28, 1), np.float32)
        assert np.abs(pixels).max() <= 1
        np.testing.assert_array_equal(pixels, again[name])
    known = {image.tobytes() for image in train}
    assert all(image.tobytes() in known for image in drawn["copycat"])
    # Both fits have the mean image; greys beyond black and white are cut off.
    for name in ("Gaussian", "mixture"):
        gap = np.abs(drawn[name].mean(axis=0) - train.mean(axis=0))
        assert gap.mean() < 0.1, name
    # The mixture knows that digits come in kinds: it is nearer to real ones.
    nearest = {
        name: pairwise_distances(drawn[name].reshape(1200, -1), train.reshape(1500, -1))
        for name in ("Gaussian", "mixture", "noise")
    }
    gaps = {name: np.median(found.min(axis=1)) for name, found in nearest.items()}
    assert gaps["mixture"] < gaps["Gaussian"] < gaps["noise"]


def test_too_few_images_and_another_shape_are_refused(digits, judge):
    train, _, held_out, _ = digits
    few = {"mine": train[:999]}
    large = {"mine": np.zeros((4000, 32, 32, 1), "float32")}
    with pytest.raises(ValueError, match=r"mine: \(999, 28, 28, 1\) came; give at"):
        images.image_scores(few, train, held_out, judge=judge)
    with pytest.raises(ValueError, match=r"mine: \(4000, 32, 32, 1\) came"):
        images.image_scores(large, train, held_out, judge=judge)
    with pytest.raises(ValueError, match="data: 'cifar10' has no judge"):
        images.load_judge("cifar10")


def test_total_variation_of_known_histograms():
    p = np.array([0.5, 0.5, 0.0])
    assert images.total_variation(p, p) == 0
    assert images.total_variation(p, np.array([0.5, 0.0, 0.5])) == 0.5
    assert images.total_variation(p, np.array([0.0, 0.0, 1.0])) == 1
