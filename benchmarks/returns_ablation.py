"""What each idea of the returns generator is worth: taken out by itself, and judged.

    python benchmarks/returns_ablation.py --checkpoint-dir FOLDER [--steps 5000]

Learnt and judged as in `timegan_ablation`, on parts of the training period: the
held-out period stays unseen. "as shipped" is the generator of chapter 06; the others
differ from it in one thing:

- "not calibrated": the same training, its output as it comes;
- "without the level": the critic does not see how calm or stormy a window is meant to
  be, so the dial turns nothing;
- "without products of sizes": the critic sees no autocovariance;
- "a critic of values": the critic sees the values and the level, nothing computed;
- "without noise of the window": beside the level all noise is new each day;
- "returns, not ranks": it learns log-returns, and is not calibrated, which means ranks.

A training that was stopped goes on from the folder. The last line is JSON; the same
goes to gan_notes/evaluation/stored/returns_ablation.json.
"""

import json
import time
from pathlib import Path
from unittest import mock

from timegan_ablation import LENGTH, SPLITS, begin, inner, judged, store

from gan_notes import load_prices, make_windows

RANKS = "normal_scores"


def variants():
    """Return by name the transform, and what makes a model from shape and options."""
    import tensorflow as tf

    from gan_notes.models import returns

    shipped = returns.ReturnsGAN

    class WithoutLevel(returns.StylisedFacts):
        """What finance measures, and 0 for the level."""

        def call(self, x):
            values, level = x[..., :-1], x[..., -1:]
            return super().call(tf.concat([values, tf.zeros_like(level)], axis=-1))

    class Values(returns.StylisedFacts):
        """The values as they are, and the level."""

        def call(self, x):
            values = x[..., :-1]
            size = values.shape[1] * values.shape[2]
            return tf.concat([tf.reshape(values, [-1, size]), x[:, 0, -1:]], axis=1)

    class Restless(shipped):
        """A ReturnsGAN without noise that stays for a window, but for its level."""

        def noise(self, *given, **options):
            drawn = super().noise(*given, **options)
            days = drawn[..., : returns.DAY_NOISE]
            held = tf.zeros_like(drawn[..., returns.DAY_NOISE : -1])
            return tf.concat([days, held, drawn[..., -1:]], axis=-1)

    def seeing(facts):
        def make(*shape, **options):
            with mock.patch.object(returns, "StylisedFacts", facts):
                return shipped(*shape, **options)

        return make

    def without_products(*shape, **options):
        return shipped(*shape, lags=(), **options)

    return {
        "as shipped": (RANKS, shipped),
        "without the level": (RANKS, seeing(WithoutLevel)),
        "without products of sizes": (RANKS, without_products),
        "a critic of values": (RANKS, seeing(Values)),
        "without noise of the window": (RANKS, Restless),
        "returns, not ranks": ("log_returns", shipped),
    }


def main():
    """Run the command line."""
    options = begin(__doc__.splitlines()[0], 5_000)
    prices, splits = load_prices(), 2 if options.small else SPLITS
    result = {}
    for name, (transform, make) in variants().items():
        began = time.perf_counter()
        windows = make_windows(prices, sequence_length=LENGTH, transform=transform)
        learnt, asked = inner(windows.train)
        real = windows.changes(learnt), windows.changes(asked)
        if not result:
            result["fresh real"] = judged(*real, None, splits)
        model = make(
            LENGTH,
            learnt.shape[-1],
            transform=windows.transform,
            name=name.replace(" ", "-").replace(",", ""),
        )
        model.compile(decay_steps=options.steps)
        folder = options.checkpoint_dir and Path(options.checkpoint_dir, model.name)
        model.fit(learnt, steps=options.steps, batch_size=256, checkpoint_dir=folder)
        outputs = {name: transform == RANKS}
        if name == "as shipped":
            outputs["not calibrated"] = False
        for kind, calibrated in outputs.items():
            x = model.generate(options.windows, seed=1, calibrated=calibrated)
            result[kind] = judged(*real, windows.changes(x), splits)
            print(kind, json.dumps(result[kind]), flush=True)
        result[name]["seconds"] = round(time.perf_counter() - began)
    store(__file__, options, splits, result)


if __name__ == "__main__":
    main()
