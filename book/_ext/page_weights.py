"""Shipped networks as scripts for the page, in float16; `stage.js` reads them.

Made while the site is built, from the weights that ship: there is no second
copy to keep in step.
"""

import base64
import io
import json
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from gan_notes.data import transforms
from gan_notes.models import pretrained

CLASSES = {
    "mnist": list("0123456789"),
    "fashion": ["T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt",
                "sneaker", "bag", "ankle boot"],
}  # fmt: skip


def write(name, folder):
    """Write the shipped generator `name` to `folder`/`name`.js."""
    model = rounded(name)
    pictures = len(model.generator.output_shape) == 4
    film = "film" in pretrained.provenance(name)
    film = pretrained.film(name) if film else None
    content = images(model, film) if pictures else returns(model)
    content = json.dumps(content)
    text = f"GanNotes.shipped[{json.dumps(name)}] = {content};\n"
    Path(folder, f"{name}.js").write_text(text, encoding="utf-8")


def rounded(name):
    """Return a shipped model with the generator that a page gets: in float16."""
    model = pretrained.load(name)
    for weight in model.generator.weights:
        weight.assign(weight.numpy().astype("float16"))
    return model


def images(model, film=None):
    """Return what draws an image from noise: a GAN, as JSON holds it.

    Each layer of its generator in turn, its kind as `latent.js` names it. Batch
    normalisation scales and shifts each channel: by its running statistics.
    And its film, see `pretrained.film`: a PNG, ink on paper, a row for each step.
    """
    generator, layers = model.generator, []
    for layer in generator.layers:
        layers += described(layer)
    data = "fashion" if "fashion" in model.name else "mnist"
    return {
        "latent": model.latent_dim,
        "classes": CLASSES[data] if model.classes else [],
        "channels": generator.output_shape[-1],
        "layers": layers,
        "film": film and reel(film),
    }


def reel(film):
    """Return a film's steps, and its frames as one picture of sixteen greys."""
    rows = [np.hstack(frame[..., 0]) for frame in film.values()]
    places = ((1 - np.vstack(rows)) * 7.5).round().astype("uint8")
    picture = Image.fromarray(places).convert("P")
    picture.putpalette(
        np.repeat(np.arange(16, dtype="uint8") * 17, 3).tobytes()
    )
    file = io.BytesIO()
    picture.save(file, "PNG", bits=4, optimize=True)
    picture = base64.b64encode(file.getvalue()).decode("ascii")
    return {"steps": [*film], "picture": picture}


def described(layer):
    """Return one layer of a generator of images as one or two steps."""
    kinds = keras.layers
    if isinstance(layer, kinds.Reshape):
        return [{"kind": "reshape", "to": list(layer.target_shape)}]
    if isinstance(layer, kinds.ReLU | kinds.LeakyReLU):
        slope = float(layer.negative_slope)
        return [{"kind": "leaky", "slope": slope}]
    if isinstance(layer, kinds.BatchNormalization):
        spread = np.sqrt(layer.moving_variance.numpy() + layer.epsilon)
        scale = layer.gamma.numpy() / spread
        shift = layer.beta.numpy() - layer.moving_mean.numpy() * scale
        both = {"scale": scale, "shift": shift}
        both = {name: packed(x, "float32") for name, x in both.items()}
        return [{"kind": "affine", **both}]
    step = {"kernel": packed(layer.kernel, "float16")}
    if layer.use_bias:
        step["bias"] = packed(layer.bias, "float16")
    if isinstance(layer, kinds.Dense):
        step["kind"] = "dense"
    elif layer.padding != "same":
        raise ValueError(f"{layer.name}: the page pads as 'same' only.")
    elif isinstance(layer, kinds.Conv2DTranspose):
        step |= {"kind": "transposed", "stride": layer.strides[0]}
    elif isinstance(layer, kinds.Conv2D) and layer.strides == (1, 1):
        step["kind"] = "convolution"
    else:
        raise ValueError(f"{layer.name}: the page has no such layer.")
    after = keras.activations.serialize(layer.activation)
    if after not in ("linear", "tanh"):
        raise ValueError(
            f"{layer.name}: the page has no activation {after!r}."
        )
    return [step] if after == "linear" else [step, {"kind": after}]


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
