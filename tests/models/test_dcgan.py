import numpy as np
import pytest

from gan_notes.data.images import load_images
from gan_notes.models import dcgan
from gan_notes.models.gan import GAN


@pytest.fixture(scope="module")
def digits():
    images, labels = load_images("mnist", seed=0)
    return images[:4000], labels[:4000], images[4000:], labels[4000:]


def test_shapes_after_each_layer():
    def shapes(network):
        return [layer.output.shape[1:] for layer in network.layers]

    generator = shapes(dcgan.build_generator())
    assert generator[0] == (7 * 7 * 64,)
    assert generator[1:5] == [(7, 7, 64)] * 3 + [(14, 14, 32)]
    assert generator[-1] == (28, 28, 1)
    discriminator = shapes(dcgan.build_discriminator())
    assert discriminator[:2] == [(14, 14, 32)] * 2
    assert discriminator[2:5] == [(7, 7, 64)] * 3
    assert discriminator[-1] == (1,)


@pytest.mark.parametrize(
    ("shape", "sides"),
    [
        ((28, 28, 1), [7, 14, 28]),
        ((32, 32, 3), [4, 8, 16, 32]),
        ((64, 64, 3), [4, 8, 16, 32, 64]),
    ],
)
@pytest.mark.parametrize("plain", [False, True])
def test_other_images_take_as_many_doublings(shape, sides, plain):
    pairs = dcgan.build_generator, dcgan.build_discriminator
    if plain:
        pairs = dcgan.build_plain_generator, dcgan.build_plain_discriminator
    generator, discriminator = (build(shape=shape, width=2) for build in pairs)
    found = [
        layer.output.shape[1] for layer in generator.layers if layer.output.ndim > 2
    ]
    assert list(dict.fromkeys(found)) == sides
    assert generator.output_shape == discriminator.input_shape == (None, *shape)
    found = [x.output.shape[1] for x in discriminator.layers if x.output.ndim > 2]
    assert list(dict.fromkeys(found)) == sides[::-1][1:]
    images = generator(np.full((2, 64), 50, "float32"))
    assert np.abs(images).max() <= 1
    assert discriminator(images).shape == (2, 1)


@pytest.mark.parametrize("shape", [(28, 32, 1), (30, 30, 1), (7, 7, 1), (44, 44, 3)])
def test_images_that_cannot_be_halved_are_refused(shape):
    with pytest.raises(ValueError, match=r"shape: .* came; height and width must be"):
        dcgan.build_plain_generator(shape=shape)


def test_the_paper_size_is_the_paper_network():
    generator = dcgan.build_generator(shape=(64, 64, 3), latent_dim=100, width=128)
    assert generator.layers[1].output.shape[1:] == (4, 4, 1024)
    assert [x.filters for x in generator.layers if hasattr(x, "filters")] == [
        512, 256, 128, 3
    ]  # fmt: skip


def test_the_plain_pair_has_no_normalisation_and_a_browser_runs_it():
    pair = dcgan.build_plain_generator(), dcgan.build_plain_discriminator()
    kinds = {type(layer).__name__ for network in pair for layer in network.layers}
    assert not [kind for kind in kinds if "Normalization" in kind]
    # He et al.: through an untrained network the spread neither dies nor explodes.
    z = np.random.default_rng(0).normal(size=(256, 64)).astype("float32")
    assert 0.1 < np.std(pair[0](z)) < 0.9
    multiply_adds = 0
    for layer in pair[0].layers:
        if layer.weights:
            sides = layer.output.shape[1:3] if layer.output.ndim > 2 else (1,)
            if "transpose" in type(layer).__name__.lower():
                sides = layer.input.shape[1:3]
            multiply_adds += np.prod(sides) * np.prod(layer.kernel.shape)
    assert multiply_adds < 20e6  # a browser runs it
    assert pair[0].count_params() < 1.4e6


def test_the_plain_gan_is_what_its_docstring_says(digits):
    gan = dcgan.plain_gan(steps=4, classes=10, seed=3)
    assert gan.own_settings()["translation"] == 3
    gan.fit(digits[0][:64], digits[1][:64], steps=4, batch_size=8, verbose=0)
    for optimizer in gan.optimizers.values():
        assert (optimizer.beta_1, optimizer.beta_2) == (0.0, 0.99)
        # Keras shows the rate of the update just made, the last of four.
        assert float(optimizer.learning_rate) == pytest.approx(0, abs=1e-8)
    assert gan.g_optimizer.use_ema
    assert not gan.d_optimizer.use_ema
    with gan.averaged():
        averaged = gan.generator.get_weights()
    assert np.abs(averaged[0] - gan.generator.get_weights()[0]).max() > 0


def test_guidelines_of_the_paper():
    generator, discriminator = dcgan.build_generator(), dcgan.build_discriminator()
    kinds = [type(layer).__name__ for layer in generator.layers]
    assert kinds[-1] == "Conv2DTranspose"  # no batch normalisation at the output
    assert kinds.count("BatchNormalization") == 2
    kinds = [type(layer).__name__ for layer in discriminator.layers]
    assert kinds[:2] == ["Conv2D", "LeakyReLU"]  # none at the input either
    assert not any("Pooling" in kind for kind in kinds)
    assert kinds.count("Dense") == 1
    leaks = [getattr(x, "negative_slope", None) for x in discriminator.layers]
    assert [leak for leak in leaks if leak] == pytest.approx([0.2, 0.2])
    assert discriminator.layers[-1].activation.__name__ == "linear"  # a logit


def test_images_stay_in_range_and_weights_start_small():
    generator = dcgan.build_generator(seed=3)
    z = np.random.default_rng(0).normal(size=(8, 64)).astype("float32") * 100
    images = generator(z, training=False).numpy()
    assert images.min() >= -1
    assert images.max() <= 1
    kernel = generator.layers[0].kernel.numpy()
    # 200,704 draws: the sample standard deviation is within 1 % of 0.02.
    assert kernel.std() == pytest.approx(0.02, rel=0.01)


def test_same_seed_same_networks_another_seed_others():
    def weights(seed):
        networks = (
            dcgan.build_generator(seed=seed),
            dcgan.build_discriminator(seed=seed),
        )
        return [w for network in networks for w in network.get_weights()]

    one, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0], other[0])
    kernels = [w for w in one if w.ndim == 4]
    assert not np.array_equal(kernels[0].ravel()[:512], kernels[1].ravel()[:512])


def test_shipped_networks_are_small():
    networks = dcgan.build_generator(), dcgan.build_discriminator()
    megabytes = sum(network.count_params() for network in networks) * 4 / 1e6
    assert megabytes < 2


@pytest.mark.parametrize(("kernel", "uneven"), [(4, False), (5, True)])
def test_kernel_divisible_by_stride_paints_evenly(kernel, uneven):
    """The generator's own last layer, all weights equal, on a constant input."""
    painter = dcgan.build_generator(width=4, kernel=kernel).layers[-1]
    painter.kernel.assign(np.full(painter.kernel.shape, 0.01))
    inside = painter(np.ones((1, 14, 14, 4), "float32")).numpy()[0, 4:-4, 4:-4]
    assert (np.ptp(inside) > 1e-3) == uneven


def test_gan_trains_them(digits):
    images = digits[0][:256]
    gan = GAN(dcgan.build_generator(width=4), dcgan.build_discriminator(width=4))
    before = gan.generate(4, seed=1)
    history = gan.fit(images, steps=20, batch_size=16, verbose=0)
    after = gan.generate(4, seed=1)
    assert after.shape == (4, 28, 28, 1)
    assert np.abs(after - before).max() > 1e-3
    assert np.isfinite(history.to_numpy()).all()
