import numpy as np
import pytest

from gan_notes.data.images import load_images
from gan_notes.evaluation import images


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


def test_total_variation_of_known_histograms():
    p = np.array([0.5, 0.5, 0.0])
    assert images.total_variation(p, p) == 0
    assert images.total_variation(p, np.array([0.5, 0.0, 0.5])) == 0.5
    assert images.total_variation(p, np.array([0.0, 0.0, 1.0])) == 1
