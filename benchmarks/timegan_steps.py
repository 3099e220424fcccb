"""TimeGAN's joint phase beside a plain Keras loop: steps a second, in one process.

    python benchmarks/timegan_steps.py [--rounds 7] [--steps 40] [--small]

Both train the same five networks (24 x 6 windows, hidden 24, 3 layers, batch 128)
from the same weights on the same minibatches and noise. One step is two updates of
generator and embedder and one of the discriminator. `plain` is what a careful Keras
user writes: Keras's GRU and one `tf.function` an update. `ours` is `TimeGAN.fit`.
Rounds alternate, so that a slow minute of the machine meets both; medians are shown.

The threads are those that the chapters choose for recurrent models, for both; plain
with TensorFlow's default threads is measured as well with `--default-threads`.
The last line is JSON; the same goes to benchmarks/timegan_steps.json. With `--small`
the networks are tiny and nothing is written: a test runs the script like that.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

from gan_notes import notebooks

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--steps", type=int, default=40, help="steps a round")
parser.add_argument("--default-threads", action="store_true")
parser.add_argument(
    "--small", action="store_true", help="try the script, write nothing"
)
options = parser.parse_args()
notebooks.threads(recurrent=not options.default_threads)

import keras  # noqa: E402  the threads come first
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from gan_notes.models import timegan  # noqa: E402

LENGTH, FEATURES, HIDDEN, LAYERS, BATCH = 24, 6, 24, 3, 128
if options.small:
    LENGTH, FEATURES, HIDDEN, LAYERS, BATCH = 3, 2, 4, 2, 16


class Plain:
    """The joint phase as three compiled functions over Keras's own layers."""

    def __init__(self, model):
        """Copy the weights and the optimizers' state of a TimeGAN."""

        def network(ours):
            depth, units = len(ours.layers) - 1, ours.layers[-1].units
            layers = [keras.Input(ours.input_shape[1:])]
            for _ in range(depth):
                layers.append(
                    keras.layers.GRU(HIDDEN, reset_after=False, return_sequences=True)
                )
            layers.append(keras.layers.Dense(units, ours.layers[-1].activation))
            copy = keras.Sequential(layers)
            copy.set_weights(ours.get_weights())
            return copy

        self.E, self.R, self.G, self.S, self.D = map(
            network,
            (
                model.embedder,
                model.recovery,
                model.generator,
                model.supervisor,
                model.discriminator,
            ),
        )
        self.model = model
        self.er = self.E.trainable_variables + self.R.trainable_variables
        self.gs = self.G.trainable_variables + self.S.trainable_variables
        self.optimizers = []
        for name in ("generator", "embedder", "discriminator"):
            theirs = model.optimizers[name]
            mine = keras.optimizers.Adam(1e-3)
            mine.build(
                {"generator": self.gs, "embedder": self.er}.get(
                    name, self.D.trainable_variables
                )
            )
            for a, b in zip(mine.variables, theirs.variables, strict=True):
                a.assign(b)
            self.optimizers.append(mine)

    @tf.function
    def update_generator(self, x, z):
        """Return the three parts of the generator's loss, before its update."""
        with tf.GradientTape() as tape:
            h, generated = self.E(x), self.G(z)
            synthetic = self.S(generated)
            adversarial = timegan.adversarial_loss(self.D(synthetic), self.D(generated))
            supervised = tf.sqrt(timegan.supervised_loss(h, self.S(h)))
            moments = timegan.moment_loss(x, self.R(synthetic))
            loss = adversarial + 100 * supervised + 100 * moments
        gradients = tape.gradient(loss, self.gs)
        self.optimizers[0].apply(gradients, self.gs)
        return adversarial, supervised, moments

    @tf.function
    def update_embedder(self, x):
        """Return the reconstruction error before the embedder's update."""
        with tf.GradientTape() as tape:
            h = self.E(x)
            error = timegan.reconstruction_loss(x, self.R(h))
            loss = 10 * error + 0.1 * timegan.supervised_loss(h, self.S(h))
        self.optimizers[1].apply(tape.gradient(loss, self.er), self.er)
        return error

    @tf.function
    def update_discriminator(self, x, z):
        """Return the discriminator's loss before its update."""
        h, generated = self.E(x), self.G(z)
        synthetic = self.S(generated)
        with tf.GradientTape() as tape:
            loss = timegan.discriminator_loss(
                self.D(h), self.D(synthetic), self.D(generated)
            )
        weights = self.D.trainable_variables
        gradients = tape.gradient(loss, weights)
        if loss > timegan.DISCRIMINATOR_THRESHOLD:
            self.optimizers[2].apply(gradients, weights)
        return loss

    def step(self, number):
        """Do one joint step on the minibatches that TimeGAN would draw."""
        for update in range(timegan.GENERATOR_UPDATES):
            x, z = self.model.draw(number, update)
            report = self.update_generator(x, z)
            error = self.update_embedder(x)
        x, z = self.model.draw(number, timegan.GENERATOR_UPDATES)
        return [*report, error, self.update_discriminator(x, z)]


def train(model, joint_steps):
    """Go on with the joint phase up to `joint_steps`; return its last losses."""
    history = model.fit(
        windows, steps=(10, 10, joint_steps), batch_size=BATCH, verbose=0
    )
    return history[COLUMNS].dropna()


COLUMNS = ["generator", "supervised", "moments", "reconstruction", "discriminator"]
rng = np.random.default_rng(0)
walks = np.cumsum(rng.uniform(-0.5, 0.5, (2000, LENGTH, FEATURES)), axis=1)
windows = (walks / 8 + 0.5).clip(0, 1).astype("float32")

# First the losses: ten steps one by one, from the same weights and batches.
notebooks.repeatable(0)  # as in the chapters
sizes = {"hidden_dim": HIDDEN, "num_layers": LAYERS, "reset_after": False}
ours = timegan.TimeGAN(LENGTH, FEATURES, **sizes)
ours.compile(steps_per_execution=1)
train(ours, 1)
plain = Plain(ours)
start = ours.step
theirs = [plain.step(tf.constant(start + i, tf.int64)) for i in range(10)]
difference = float(np.abs(train(ours, 11).to_numpy()[1:] - np.array(theirs)).max())
print(f"largest difference of a loss over 10 steps: {difference:.1e}")
if difference > 1e-4:
    sys.exit("timegan_steps: the losses differ by more than 1e-4.")

# Then the speed, rounds in turn, after a warm-up that traces both.
ours = timegan.TimeGAN(LENGTH, FEATURES, **sizes)
joint = 10
train(ours, joint)
seconds = {"plain": [], "ours": []}
for _ in range(options.rounds):
    began = time.perf_counter()
    for i in range(options.steps):
        losses = plain.step(tf.constant(i, tf.int64))
    losses[-1].numpy()
    seconds["plain"].append(time.perf_counter() - began)
    joint += options.steps
    began = time.perf_counter()
    train(ours, joint)
    seconds["ours"].append(time.perf_counter() - began)
    rates = {k: options.steps / v[-1] for k, v in seconds.items()}
    print(" ".join(f"{k} {v:.2f} steps/s" for k, v in rates.items()), flush=True)

medians = {k: options.steps / statistics.median(v) for k, v in seconds.items()}
ratios = [p / o for p, o in zip(seconds["plain"], seconds["ours"], strict=True)]
result = {
    "plain": {"joint": round(medians["plain"], 2)},
    "ours": {"joint": round(medians["ours"], 2)},
    "joint_ratio": round(statistics.median(ratios), 2),
    "ratio_range": [round(min(ratios), 2), round(max(ratios), 2)],
    "loss_difference": difference,
    "rounds": options.rounds,
    "steps": options.steps,
    "threads": {
        name: os.environ.get(f"TF_NUM_{name.upper()}_THREADS", "TensorFlow's choice")
        for name in ("intraop", "interop")
    },
    **notebooks.provenance(),
}
if not options.default_threads and not options.small:
    Path(__file__).with_suffix(".json").write_text(
        json.dumps(result, indent=1) + "\n", encoding="utf-8"
    )
print(json.dumps(result))
