"""Images a second of our step beside a plain loop, in one process, on one network pair.

    python benchmarks/dcgan_images.py [--rounds 7] [--steps 60] [--small]

Both train the networks of chapter 04 (28 x 28, batch 64) by Algorithm 1, from the same
weights on the same minibatches and noise. `plain` is what a tutorial writes: two
gradient tapes in a `tf.function`, called once a step. `ours` is `GAN.fit`. First the
losses of ten steps are compared, then rounds alternate, so that a slow minute of the
machine meets both; medians are shown. `networks of 2016` have batch normalisation and
the non-saturating loss; `plain pair` the relativistic loss with R1 and R2, which the
loop writes as two more tapes.

Of the first, the arithmetic is also given as a share of what this machine reaches in
products of float32 matrices, counted as 2 for each multiply-add of a layer.

The last line is JSON; the same goes to benchmarks/dcgan_images.json. With `--small` the
networks are tiny and nothing is written: a test runs the script like that.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

import record

from gan_notes import notebooks

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--steps", type=int, default=60, help="steps a round")
parser.add_argument(
    "--small", action="store_true", help="try the script, write nothing"
)
options = parser.parse_args()
notebooks.threads(recurrent=False)

import keras  # noqa: E402  the threads come first
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from gan_notes.models import dcgan, losses  # noqa: E402
from gan_notes.models.gan import GAN  # noqa: E402

BATCH, GAMMA = 64, 0.2
WIDTH = 4 if options.small else 32
images = np.random.default_rng(0).uniform(-1, 1, (512, 28, 28, 1)).astype("float32")


def pair(kind):
    """Return a fresh GAN of one kind."""
    if kind == "networks of 2016":
        networks = (
            dcgan.build_generator(width=WIDTH),
            dcgan.build_discriminator(width=WIDTH),
        )
        return GAN(*networks)
    networks = (
        dcgan.build_plain_generator(width=WIDTH // 2),
        dcgan.build_plain_discriminator(width=WIDTH),
    )
    settings = {"loss": "relativistic", "penalty": "r1_r2", "penalty_weight": GAMMA}
    return GAN(*networks, **settings)


class Plain:
    """A GAN's networks, copied, in a loop as tutorials write it."""

    def __init__(self, gan):
        self.gan = gan
        self.G, self.D = (keras.models.clone_model(n) for n in gan.networks().values())
        self.optimizers = []
        for mine, theirs in zip((self.G, self.D), gan.networks().values(), strict=True):
            mine.set_weights(theirs.get_weights())
            adam = keras.optimizers.Adam(2e-4, beta_1=0.5)
            adam.build(mine.trainable_variables)
            self.optimizers.append(adam)
        for mine, theirs in zip(self.optimizers, gan.optimizers.values(), strict=True):
            for a, b in zip(mine.variables, theirs.variables, strict=True):
                a.assign(b)

    def penalty(self, x):
        """Return R1 or R2, written out."""
        with tf.GradientTape() as tape:
            tape.watch(x)
            scores = self.D(x, training=True)
        slopes = tape.gradient(scores, x)
        return GAMMA / 2 * tf.reduce_mean(tf.reduce_sum(slopes**2, axis=[1, 2, 3]))

    @tf.function
    def step(self, number):
        """Return both losses of one step."""
        G, D = self.G, self.D
        compares = self.gan.loss_name == "relativistic"
        loss = losses.relativistic if compares else losses.non_saturating
        real, z = self.gan.draw(number, 0)
        with tf.GradientTape() as tape:
            synthetic = G(z, training=True)
            d_real = D(real, training=True)
            d_loss, _ = loss(d_real, D(synthetic, training=True))
            if compares:
                d_loss += self.penalty(real) + self.penalty(synthetic)
        gradients = tape.gradient(d_loss, D.trainable_variables)
        self.optimizers[1].apply(gradients, D.trainable_variables)
        real, z = self.gan.draw(number, 1)
        with tf.GradientTape() as tape:
            answers = D(G(z, training=True), training=True)
            _, g_loss = loss(D(real, training=True) if compares else d_real, answers)
        gradients = tape.gradient(g_loss, G.trainable_variables)
        self.optimizers[0].apply(gradients, G.trainable_variables)
        return d_loss, g_loss


def multiply_adds(network):
    """Return the multiply-adds of one image on its way through a network."""
    total = 0
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            transposed = isinstance(layer, keras.layers.Conv2DTranspose)
            grid = (layer.input if transposed else layer.output).shape[1:-1]
            total += np.prod(grid, initial=1) * np.prod(layer.kernel.shape)
    return int(total)


def peak():
    """Return billions of float32 operations a second in products of matrices."""
    a = tf.random.normal([2048, 2048])
    product = tf.function(lambda x: tf.reduce_sum(tf.matmul(x, x)))
    product(a).numpy()
    times = []
    for _ in range(5):
        began = time.perf_counter()
        product(a).numpy()
        times.append(time.perf_counter() - began)
    return 2 * 2048**3 / min(times) / 1e9


def compare(kind):
    """Check the losses, then time both; return what is stored of one kind."""
    ours = pair(kind)
    ours.compile(ours.g_optimizer, ours.d_optimizer, steps_per_execution=1)
    ours.fit(images, steps=1, batch_size=BATCH, verbose=0)
    plain = Plain(ours)
    theirs = [
        [float(x) for x in plain.step(tf.constant(i, tf.int64))] for i in range(1, 11)
    ]
    history = ours.fit(images, steps=11, batch_size=BATCH, verbose=0)
    found = history[["d_loss", "g_loss"]].to_numpy()[1:]
    difference = float(np.abs(found - np.array(theirs)).max())
    print(f"{kind}: largest difference of a loss over 10 steps: {difference:.1e}")
    if difference > 1e-2:
        sys.exit("dcgan_images: the losses differ by more than 0.01.")

    ours = pair(kind)
    done = 10
    ours.fit(images, steps=done, batch_size=BATCH, verbose=0)
    seconds = {"plain": [], "ours": []}
    for _ in range(options.rounds):
        began = time.perf_counter()
        for i in range(options.steps):
            last = plain.step(tf.constant(i, tf.int64))
        last[0].numpy()
        seconds["plain"].append(time.perf_counter() - began)
        done += options.steps
        began = time.perf_counter()
        ours.fit(images, steps=done, batch_size=BATCH, verbose=0)
        seconds["ours"].append(time.perf_counter() - began)
    drawn = BATCH * options.steps
    rates = {name: drawn / statistics.median(v) for name, v in seconds.items()}
    ratios = [p / o for p, o in zip(seconds["plain"], seconds["ours"], strict=True)]
    result = {
        "plain": round(rates["plain"], 1),
        "ours": round(rates["ours"], 1),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_range": [round(min(ratios), 2), round(max(ratios), 2)],
        "loss_difference": difference,
    }
    if kind == "networks of 2016":
        # G forward twice, back once (which costs two); D forward three times, back
        # twice, and once to its input alone.
        costs = 4 * multiply_adds(ours.generator), 8 * multiply_adds(ours.discriminator)
        result["billion_operations_a_second"] = round(
            2 * sum(costs) * rates["ours"] / 1e9, 1
        )
    print(f"{kind}: {result}", flush=True)
    return result


kinds = ("networks of 2016", "plain pair")
result = {kind: compare(kind) for kind in kinds}
result["products_of_matrices"] = round(peak(), 1)
result["share_of_that"] = round(
    result[kinds[0]]["billion_operations_a_second"] / result["products_of_matrices"], 2
)
result |= {
    "rounds": options.rounds,
    "steps": options.steps,
    "threads": {
        name: os.environ.get(f"TF_NUM_{name.upper()}_THREADS", "TensorFlow's choice")
        for name in ("intraop", "interop")
    },
    **notebooks.provenance(),
}
if not options.small:
    record.keep(Path(__file__).with_suffix(".json"), result)
print(json.dumps(result))
