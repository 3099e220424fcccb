"""Which part of TimeGAN breaks the returns? Each is taken out by itself, and judged.

    python benchmarks/timegan_ablation.py --checkpoint-dir FOLDER [--steps 2500]

All variants learn normal scores of the sample's returns, on the first four fifths of
the training period, and are judged on its last fifth: the held-out period stays unseen.
"as published" is the authors' training; the others differ from it in one thing:

- "without the supervised term": the generator has no loss on the supervisor's error;
- "without the moment term": nor on mean and deviation of a batch;
- "a critic of windows": the discriminator sees what the recovery makes of latent
  states, real ones and generated ones, in their place;
- "wider noise": 24 numbers a day go into the generator, as many as it has units, in
  place of one for each ticker.

A training that was stopped goes on from the folder. The last line is JSON; the same
goes to gan_notes/evaluation/stored/timegan_ablation.json, which chapter 06 shows.
"""

import argparse
import json
import os
import time
from pathlib import Path

import record

from gan_notes import load_prices, make_windows, notebooks

LENGTH, HIDDEN, SPLITS = 24, 24, 10
DAYS = (1, 2, 5)  # lags shown of the facts


def inner(windows):
    """Split the training windows in time: to learn, and to judge; none shares a day."""
    cut = len(windows) * 4 // 5
    return windows[: cut - windows.shape[1]], windows[cut:]


def variants():
    """Return by name what makes a model from shape, transform and name."""
    import keras
    import tensorflow as tf

    from gan_notes.models import layers, timegan

    published = timegan.TimeGAN

    def without(constant):
        class Without(published):
            """TimeGAN with a loss weight of 0 while its steps are traced."""

            def joint_step(self, step):
                kept = getattr(timegan, constant)
                setattr(timegan, constant, 0.0)
                try:
                    return super().joint_step(step)
                finally:
                    setattr(timegan, constant, kept)

        return Without

    def network(name, inputs, outputs, activation):
        stack = [keras.Input((LENGTH, inputs))]
        stack += [layers.GRU(HIDDEN, return_sequences=True) for _ in range(3)]
        stack.append(keras.layers.Dense(outputs, activation))
        return keras.Sequential(stack, name=name)

    class WideNoise(published):
        """TimeGAN whose generator takes as many numbers a day as it has units."""

        def __init__(self, *shape, **options):
            super().__init__(*shape, **options)
            self.generator = network("generator", HIDDEN, HIDDEN, "sigmoid")
            self.compile()

        def noise(self, n, seed):
            return tf.random.stateless_uniform([n, LENGTH, HIDDEN], seed)

    class WindowCritic(published):
        """TimeGAN whose discriminator sees windows, not latent states."""

        def __init__(self, *shape, **options):
            super().__init__(*shape, **options)
            self.critic = network("critic", self.features, 1, "linear")
            self.discriminator = keras.Sequential(
                [keras.Input((LENGTH, HIDDEN)), self.recovery, self.critic],
                name="discriminator",
            )
            self.compile()

        def moved(self):
            critic = getattr(self, "critic", self.discriminator)
            return {**super().moved(), "discriminator": critic.trainable_variables}

    return {
        "as published": published,
        "without the supervised term": without("SUPERVISED_WEIGHT_G"),
        "without the moment term": without("MOMENTS_WEIGHT"),
        "a critic of windows": WindowCritic,
        "wider noise": WideNoise,
    }


def judged(learnt, asked, synthetic, splits):
    """Return signed AUC and the facts of synthetic changes beside the learnt ones."""
    from gan_notes.evaluation import facts, fidelity
    from gan_notes.evaluation.distances import mean_interval

    found = {}
    areas = fidelity.signed_auc(learnt, asked, synthetic, splits=splits)
    found["AUC, boosting"] = mean_interval(areas)
    x = learnt if synthetic is None else synthetic
    for row in facts.facts(x).itertuples():
        if row.days in DAYS or row.fact in ("kurtosis", "tail index"):
            found[f"{row.fact}, {row.days}"] = (row.value, row.low, row.high)
    found["deviation over real"] = (float(x.std() / learnt.std()),) * 3
    return found


def begin(title, steps):
    """Read the command line of an ablation, and set one thread and the seeds."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--steps", type=int, default=steps, help="a phase, or in all")
    parser.add_argument("--windows", type=int, default=4_000)
    parser.add_argument("--checkpoint-dir", default="")
    parser.add_argument("--small", action="store_true", help="write nothing")
    options = parser.parse_args()
    for pool in ("INTRAOP", "INTEROP"):
        os.environ[f"TF_NUM_{pool}_THREADS"] = "1"
    notebooks.repeatable(0)
    return options


def store(script, options, splits, result):
    """Print what an ablation found, and store it under the name of its script."""
    from gan_notes.evaluation import scorecard

    table = {
        "steps": options.steps,
        "windows": options.windows,
        "splits": splits,
        "candidates": result,
        "commit": record.commit(),
        **notebooks.provenance(),
    }
    if not options.small:
        record.keep(scorecard.STORED / f"{Path(script).stem}.json", table)
    print(json.dumps(table))


def main():
    """Run the command line."""
    options = begin(__doc__.splitlines()[0], 2_500)
    windows = make_windows(
        load_prices(), sequence_length=LENGTH, transform="normal_scores"
    )
    learnt, asked = inner(windows.train)
    before, after = windows.changes(learnt), windows.changes(asked)
    splits = 2 if options.small else SPLITS
    result = {"fresh real": judged(before, after, None, splits)}
    for name, make in variants().items():
        began = time.perf_counter()
        model = make(
            LENGTH,
            learnt.shape[-1],
            output_activation="linear",
            transform=windows.transform,
            name=name.replace(" ", "-"),
        )
        folder = options.checkpoint_dir and Path(options.checkpoint_dir, model.name)
        model.fit(learnt, steps=options.steps, checkpoint_dir=folder)
        drawn = windows.changes(model.generate(options.windows, seed=1))
        result[name] = judged(before, after, drawn, splits)
        result[name]["seconds"] = round(time.perf_counter() - began)
        print(name, json.dumps(result[name]), flush=True)
    store(__file__, options, splits, result)


if __name__ == "__main__":
    main()
