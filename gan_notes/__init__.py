"""Generative adversarial networks, from the minimax game to honest TimeGAN.

The companion package of the book *gan_notes*. Importing it loads neither
TensorFlow nor Keras: each name is fetched from its module when first used.
"""

import contextlib
import importlib
import importlib.util
import os
import sys

# yfinance's HTTP library must be loaded before TensorFlow, which exports the symbols of
# another copy of curl: the other way round, every request to Yahoo fails.
TENSORFLOW_CAME_FIRST = "tensorflow" in sys.modules and "curl_cffi" not in sys.modules
with contextlib.suppress(ImportError):
    import curl_cffi  # noqa: F401

__version__ = "0.1.0"

_HOME = {
    "GAN": "models.gan",
    "ReturnsGAN": "models.returns",
    "TimeGAN": "models.timegan",
    "load_images": "data.images",
    "load_prices": "data.prices",
    "make_windows": "data.windows",
    "pretrained": "models.pretrained",
}
__all__ = sorted(_HOME)

# Keras reads its backend once, when it is first imported, from this variable and
# then from ~/.keras/keras.json: setting it here makes that file irrelevant.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def __getattr__(name: str):
    """Fetch a public name from the module that defines it."""
    if name not in _HOME:
        raise AttributeError(f"module 'gan_notes' has no attribute {name!r}")
    if not _HOME[name].startswith("data."):
        check_engine(f"gan_notes.{name}")
    return getattr(importlib.import_module(f"gan_notes.{_HOME[name]}"), name)


def check_engine(asker: str) -> None:
    """Refuse what trains where TensorFlow is missing or Keras runs on another engine.

    Prices and windows need neither, so importing the package does not ask.

    Parameters
    ----------
    asker : str
        What needs it; the error begins with this.

    Raises
    ------
    ImportError
        One sentence that says which, and what to do.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise ImportError(
            f"{asker} needs TensorFlow, which is not installed; run "
            'pip install "gan-notes[tensorflow]", or "gan-notes[cpu]" without a GPU.'
        )
    backend = os.environ["KERAS_BACKEND"]
    if "keras" in sys.modules:
        backend = sys.modules["keras"].config.backend()
    if backend != "tensorflow":
        raise ImportError(
            f"{asker} runs on Keras with TensorFlow, but the Keras backend is "
            f"{backend!r}; set KERAS_BACKEND=tensorflow before Python starts."
        )


def __dir__() -> list[str]:
    """List what the module offers, the names not yet loaded included."""
    return sorted([*globals(), *_HOME])
