"""Shipped networks as scripts for the page, in float16; `stage.js` reads them.

Made while the site is built, from the weights that ship: there is no second
copy to keep in step.
"""

import base64
import json
from pathlib import Path

import numpy as np

from gan_notes.data import transforms
from gan_notes.models import pretrained


def write(name, folder):
    """Write the shipped returns generator `name` to `folder`/`name`.js."""
    content = json.dumps(returns(rounded(name)))
    text = f"GanNotes.shipped[{json.dumps(name)}] = {content};\n"
    Path(folder, f"{name}.js").write_text(text, encoding="utf-8")


def rounded(name):
    """Return a shipped model with the generator that a page gets: in float16."""
    model = pretrained.load(name)
    for weight in model.generator.weights:
        weight.assign(weight.numpy().astype("float16"))
    return model


def returns(model):
    """Return what draws a market from noise: a ReturnsGAN, as JSON holds it.

    Three steps: the weights of the generator in Keras's order, the curves that
    set the ranks of its output, and those from normal scores to log-returns.
    """
    transform = model.transform
    if transform.kind != "normal_scores" or transform.differences:
        raise ValueError(
            f"{model.name}: the page draws log-returns by their normal scores, "
            f"not {transform.kind!r} with differences={transform.differences}."
        )

    def unscale(ticker):
        width = len(transform.tickers)
        return lambda x: transform.unscale(np.stack([x] * width, 1))[
            :, ticker
        ]

    return {
        "tickers": list(transform.tickers),
        "prices": transform.start_prices.tolist(),
        "length": model.sequence_length,
        "persistence": float(model.persistence),
        "weights": [
            packed(weight, "float16") for weight in model.generator.weights
        ],
        "calibration": [
            curve(t["returns"], lambda x, t=t: transforms.to_scores(x, t))
            for t in model._calibration()
        ],
        "returns": [
            curve(table["scores"], unscale(ticker))
            for ticker, table in enumerate(transform.parameters)
        ],
    }


def curve(knots, function):
    """Return the knots of a line that goes on straight, and its values there."""
    beyond = np.ptp(knots)
    x = np.array([knots[0] - beyond, *knots, knots[-1] + beyond])
    return {"x": packed(x, "float32"), "y": packed(function(x), "float32")}


def packed(array, kind):
    """Return an array as JSON holds it: little-endian floats in base64."""
    values = np.asarray(array).astype(np.dtype(kind).newbyteorder("<"))
    text = base64.b64encode(values.tobytes()).decode("ascii")
    return {"shape": list(values.shape), kind: text}
