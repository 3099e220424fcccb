"""Generative adversarial networks, from the minimax game to honest TimeGAN.

The companion package of the book *gan_notes*. Importing it loads neither
TensorFlow nor Keras: each name is fetched from its module when first used.
"""

import contextlib
import importlib
import os
import sys

# yfinance's HTTP library must be loaded before TensorFlow, which exports the symbols of
# another copy of curl: the other way round, every request to Yahoo fails.
with contextlib.suppress(ImportError):
    import curl_cffi  # noqa: F401

__version__ = "0.1.0"

_HOME = {
    "GAN": "models.gan",
    "TimeGAN": "models.timegan",
    "load_images": "data.images",
    "load_prices": "data.prices",
    "make_windows": "data.windows",
}
__all__ = sorted(_HOME)

# Keras reads its backend once, when it is first imported, from this variable and
# then from ~/.keras/keras.json: setting it here makes that file irrelevant.
_backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
if "keras" in sys.modules:
    _backend = sys.modules["keras"].config.backend()
if _backend != "tensorflow":
    raise ImportError(
        f"gan_notes runs on Keras with TensorFlow, but the Keras backend is "
        f"{_backend!r}. Set KERAS_BACKEND=tensorflow before Python starts."
    )
del _backend


def __getattr__(name: str):
    """Fetch a public name from the module that defines it."""
    if name in _HOME:
        return getattr(importlib.import_module(f"gan_notes.{_HOME[name]}"), name)
    raise AttributeError(f"module 'gan_notes' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List what the module offers, the names not yet loaded included."""
    return sorted([*globals(), *_HOME])
