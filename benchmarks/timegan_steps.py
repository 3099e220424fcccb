"""TimeGAN's three phases beside plain Keras loops: steps a second, in one process.

    python benchmarks/timegan_steps.py [--rounds 7] [--steps 40] [--small]

Both train the same five networks (24 x 6 windows, hidden 24, 3 layers, batch 128)
from the same weights on the same minibatches and noise. A joint step is two updates of
generator and embedder and one of the discriminator; a step of the phases before it is
one update. `plain` is what a careful Keras user writes: Keras's GRU and one
`tf.function` an update. `ours` is `TimeGAN.fit`. Rounds alternate, so that a slow
minute of the machine meets both; medians are shown.

The operations of a step of ours are counted, 2 for each multiply-add; their rate is
given as a share of what two threads of the fused cell alone reach at these shapes.

The threads are those that the chapters choose for recurrent models, for both; plain
with TensorFlow's default threads is measured as well with `--default-threads`.
The last line is JSON; the same goes to benchmarks/timegan_steps.json. With `--small`
the networks are tiny and nothing is written: a test runs the script like that.
"""

import argparse
import json
import math
import os
import statistics
import sys
import time
from pathlib import Path

import record

from gan_notes import notebooks

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument(
    "--steps", type=int, default=40, help="joint steps a round; five times as many else"
)
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


# What a step of ours sends through each network: forward, gradients of inputs and of
# weights, of which each costs about what forward does.
PASSES = {
    "embedding": {"embedder": 3, "recovery": 3},
    "supervised": {"embedder": 1, "supervisor": 3},
    "joint": {
        "embedder": 7,
        "recovery": 10,
        "generator": 7,
        "supervisor": 17,
        "discriminator": 17,
    },
}


def operations(model, phase):
    """Return the operations of a step, in billions."""
    networks = model.networks()
    multiply_adds = sum(
        passes * sum(math.prod(w.shape) for w in networks[name].weights if w.ndim == 2)
        for name, passes in PASSES[phase].items()
    )
    return 2 * BATCH * LENGTH * multiply_adds / 1e9


def fused_cell(repeats=300):
    """Return what one thread of the fused cell reaches, billion operations a second."""
    h = tf.zeros([BATCH, HIDDEN])
    w_ru, w_c = tf.zeros([2 * HIDDEN, 2 * HIDDEN]), tf.zeros([2 * HIDDEN, HIDDEN])
    b_ru, b_c = tf.zeros([2 * HIDDEN]), tf.zeros([HIDDEN])

    @tf.function
    def chain(h):
        for _ in range(repeats):
            h = tf.raw_ops.GRUBlockCell(
                x=h, h_prev=h, w_ru=w_ru, w_c=w_c, b_ru=b_ru, b_c=b_c
            ).h
        return h

    chain(h)
    taken = []
    for _ in range(options.rounds):
        began = time.perf_counter()
        chain(h).numpy()
        taken.append(time.perf_counter() - began)
    return 2 * repeats * BATCH * 6 * HIDDEN**2 / 1e9 / statistics.median(taken)


class Plain:
    """The three phases as compiled functions over Keras's own layers."""

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

        self.model = model
        self.E, self.R, self.G, self.S, self.D = map(network, model.networks().values())
        weights = {
            "embedding": self.E.trainable_variables + self.R.trainable_variables,
            "supervised": self.S.trainable_variables,
            "generator": self.G.trainable_variables + self.S.trainable_variables,
            "discriminator": self.D.trainable_variables,
        }
        self.weights = weights | {"embedder": weights["embedding"]}
        self.optimizers = {}
        for name, theirs in model.optimizers.items():
            mine = keras.optimizers.Adam(1e-3)
            mine.build(self.weights[name])
            for a, b in zip(mine.variables, theirs.variables, strict=True):
                a.assign(b)
            self.optimizers[name] = mine

    def descend(self, name, loss, tape):
        """Move what a loss moves."""
        weights = self.weights[name]
        self.optimizers[name].apply(tape.gradient(loss, weights), weights)

    @tf.function
    def update_autoencoder(self, x):
        """Return the reconstruction error before the update of the first phase."""
        with tf.GradientTape() as tape:
            error = timegan.reconstruction_loss(x, self.R(self.E(x)))
            loss = 10 * error
        self.descend("embedding", loss, tape)
        return error

    @tf.function
    def update_supervisor(self, x):
        """Return the supervised error before the update of the second phase."""
        h = self.E(x)
        with tf.GradientTape() as tape:
            loss = timegan.supervised_loss(h, self.S(h))
        self.descend("supervised", loss, tape)
        return tf.sqrt(loss)

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
        self.descend("generator", loss, tape)
        return adversarial, supervised, moments

    @tf.function
    def update_embedder(self, x):
        """Return the reconstruction error before the embedder's update."""
        with tf.GradientTape() as tape:
            h = self.E(x)
            error = timegan.reconstruction_loss(x, self.R(h))
            loss = 10 * error + 0.1 * timegan.supervised_loss(h, self.S(h))
        self.descend("embedder", loss, tape)
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
        if loss > timegan.DISCRIMINATOR_THRESHOLD:
            self.descend("discriminator", loss, tape)
        return loss

    def step(self, phase, number):
        """Do one step of a phase on the minibatches that TimeGAN would draw."""
        number = tf.constant(number, tf.int64)
        if phase != "joint":
            x, _ = self.model.draw(number, 0)
            first = phase == "embedding"
            return [self.update_autoencoder(x) if first else self.update_supervisor(x)]
        for update in range(timegan.GENERATOR_UPDATES):
            x, z = self.model.draw(number, update)
            report = self.update_generator(x, z)
            error = self.update_embedder(x)
        x, z = self.model.draw(number, timegan.GENERATOR_UPDATES)
        return [*report, error, self.update_discriminator(x, z)]


class Until(keras.callbacks.Callback):
    """Stop after a step."""

    def __init__(self, end):
        """Take the last step, counted over all phases."""
        super().__init__()
        self.end = end

    def on_train_batch_end(self, batch, logs=None):
        """Stop there."""
        self.model.stop_training = self.model.step >= self.end


def train(model, phase, steps):
    """Go on by so many steps in a phase; return their losses."""
    before = timegan.PHASES.index(phase)  # each phase before it has one step
    many = [1] * before + [10**6] * (len(timegan.PHASES) - before)
    done = max(model.step, before)
    callbacks = [Until(done + steps)]
    model.fit(windows, steps=many, batch_size=BATCH, verbose=0, callbacks=callbacks)
    assert model.step == done + steps, "the training ended elsewhere"
    return model.phase_history().loc[done + 1 :, COLUMNS[phase]]


def new(at_once=10):
    """Return a TimeGAN of the measured size."""
    model = timegan.TimeGAN(
        LENGTH, FEATURES, hidden_dim=HIDDEN, num_layers=LAYERS, reset_after=False
    )
    model.compile(steps_per_execution=at_once)
    return model


JOINT = ["generator", "supervised", "moments", "reconstruction", "discriminator"]
COLUMNS = {
    "embedding": ["reconstruction"],
    "supervised": ["supervised"],
    "joint": JOINT,
}
rng = np.random.default_rng(0)
walks = np.cumsum(rng.uniform(-0.5, 0.5, (2000, LENGTH, FEATURES)), axis=1)
windows = (walks / 8 + 0.5).clip(0, 1).astype("float32")
notebooks.repeatable(0)  # as in the chapters

difference, rates, ratios, paces = 0.0, {"plain": {}, "ours": {}}, {}, {}
for phase in timegan.PHASES:
    # First the losses: ten steps one by one, from the same weights and batches.
    ours = new(at_once=1)
    train(ours, phase, 1)
    plain = Plain(ours)
    theirs = [plain.step(phase, ours.step + i) for i in range(10)]
    apart = np.abs(train(ours, phase, 10).to_numpy() - np.array(theirs)).max()
    print(f"{phase}: largest difference of a loss over 10 steps: {apart:.1e}")
    difference = max(difference, float(apart))
    if difference > 1e-4:
        sys.exit("timegan_steps: the losses differ by more than 1e-4.")

    # Then the speed, rounds in turn, after a warm-up that traces both.
    ours = new()
    train(ours, phase, 20)
    steps = options.steps if phase == "joint" else 5 * options.steps
    seconds = {"plain": [], "ours": []}
    for _ in range(options.rounds):
        began = time.perf_counter()
        for i in range(steps):
            losses = plain.step(phase, i)
        losses[-1].numpy()
        seconds["plain"].append(time.perf_counter() - began)
        began = time.perf_counter()
        train(ours, phase, steps)
        seconds["ours"].append(time.perf_counter() - began)
        pace = {who: f"{steps / taken[-1]:.2f}" for who, taken in seconds.items()}
        print(f"{phase}, steps a second: {pace}", flush=True)
    for who, taken in seconds.items():
        rates[who][phase] = round(steps / statistics.median(taken), 2)
    ratios[phase] = [p / o for p, o in zip(*seconds.values(), strict=True)]
    paces[phase] = [round(steps / f(seconds["ours"]), 2) for f in (max, min)]

work = {phase: operations(ours, phase) for phase in timegan.PHASES}
cell = fused_cell()
result = {
    **rates,
    "joint_ratio": round(statistics.median(ratios["joint"]), 2),
    "ratios": {
        phase: [round(f(rounds), 2) for f in (min, statistics.median, max)]
        for phase, rounds in ratios.items()
    },
    "ours_range": paces,
    "billion_operations": {phase: round(x, 2) for phase, x in work.items()},
    "fused_cell": round(cell, 1),
    "share_of_two_cells": {
        phase: round(x * rates["ours"][phase] / (2 * cell), 2)
        for phase, x in work.items()
    },
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
    record.keep(Path(__file__).with_suffix(".json"), result)
print(json.dumps(result))
