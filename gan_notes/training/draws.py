"""Random draws as a pure function of seed and step; chapter 02 shows them in use.

Whatever is random in a training step (its minibatch, its noise) is drawn here from the
seed and the number of the step. A checkpoint is then weights, optimizer state and the
step, and a resumed training goes on exactly where it stopped.
"""

import numpy as np
import tensorflow as tf


def key(seed: int, step: tf.Tensor, stream: int = 0) -> tf.Tensor:
    """Return the random key of one step.

    Parameters
    ----------
    seed : int
        Fixes the whole training.
    step : integer scalar tensor
        Counts from 0.
    stream : int
        Separates uses that must not share draws, such as the updates of one step.

    Returns
    -------
    int32 tensor (2,), a seed for ``tf.random.stateless_*`` and ``tf.random.split``.
    """
    return tf.random.fold_in(tf.constant([seed % 2**31, stream], tf.int32), step)


def minibatch(data: tf.Tensor, batch_size: int, seed: tf.Tensor) -> tf.Tensor:
    """Draw `batch_size` rows of `data` uniformly, with replacement.

    Parameters
    ----------
    data : tensor (n, ...)
    batch_size : int
    seed : int32 tensor (2,)
        From :func:`key`; the same seed draws the same rows.

    Returns
    -------
    Tensor (batch_size, ...).
    """
    rows = tf.random.stateless_uniform(
        [batch_size], seed, maxval=data.shape[0], dtype=tf.int32
    )
    return tf.gather(data, rows)


def moved(images: tf.Tensor, pixels: int, seed: tf.Tensor) -> tf.Tensor:
    """Move each image by up to `pixels` each way, whole pixels, equally often.

    Parameters
    ----------
    images : float tensor (n, height, width, channels)
        In [-1, 1]; what comes in at an edge is -1, black.
    pixels : int
    seed : int32 tensor (2,)
        From :func:`key`; the same seed moves alike.

    Returns
    -------
    Tensor of the same shape and type. Gradients pass through it.

    Notes
    -----
    The translation of Zhao et al. (2020), DiffAugment. Each move is a product with two
    matrices of zeros and ones, whose gradient is as cheap.
    """
    n, height, width, _ = images.shape
    by = tf.random.stateless_uniform(
        [2, n, 1], seed, minval=-pixels, maxval=pixels + 1, dtype=tf.int32
    )
    rows, columns = (
        tf.one_hot(tf.range(side) + by[axis], side, dtype=images.dtype)
        for axis, side in enumerate((height, width))
    )
    return tf.einsum("nih,nhwc,njw->nijc", rows, images + 1, columns) - 1


def in_parts(network, z: np.ndarray | tf.Tensor, size: int = 1024) -> np.ndarray:
    """Apply a network to at most `size` rows of `z` at a time, and join the parts.

    It is told that this is no training: Keras's layers that move images do so unless
    they are.
    """
    parts = [network(z[i : i + size], training=False) for i in range(0, len(z), size)]
    return np.concatenate(parts)
