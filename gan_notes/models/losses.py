"""The losses of both players, and penalties on the critic; chapters 02 and 03.

Every loss takes *logits*, the discriminator's output before any sigmoid, on real and
on synthetic samples, and returns two scalars: what the discriminator minimises and
what the generator minimises. A discriminator that outputs logits keeps its gradient
where the sigmoid of float32 would round to 0 or 1.
"""

import tensorflow as tf


def minimax(
    real_logits: tf.Tensor, synthetic_logits: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the losses of the zero-sum game, in nats.

    Parameters
    ----------
    real_logits, synthetic_logits : float tensors (n, 1)
        Logits of D on real samples and on G(z).

    Returns
    -------
    d_loss, g_loss : scalar tensors
        d_loss is -V, the binary cross-entropy of D (summed over its two terms);
        g_loss is the part of V that G can move, E log(1 - D(G(z))), at most 0.

    Notes
    -----
    Goodfellow et al. (2014), equation 1. The generator's gradient vanishes where D
    confidently rejects, that is where D(G(z)) is near 0.
    """
    d_loss = tf.reduce_mean(tf.nn.softplus(-real_logits)) + tf.reduce_mean(
        tf.nn.softplus(synthetic_logits)
    )
    return d_loss, -tf.reduce_mean(tf.nn.softplus(synthetic_logits))


def non_saturating(
    real_logits: tf.Tensor, synthetic_logits: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the losses that most GANs are trained with, in nats.

    Parameters
    ----------
    real_logits, synthetic_logits : float tensors (n, 1)
        Logits of D on real samples and on G(z).

    Returns
    -------
    d_loss, g_loss : scalar tensors
        d_loss as in :func:`minimax`; g_loss is -E log D(G(z)), at least 0. Their sum
        is not constant: the game is no longer zero-sum.

    Notes
    -----
    Goodfellow et al. (2014), end of section 3.
    """
    d_loss, _ = minimax(real_logits, synthetic_logits)
    return d_loss, tf.reduce_mean(tf.nn.softplus(-synthetic_logits))


def wasserstein(
    real_logits: tf.Tensor, synthetic_logits: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the losses of a critic, in units of its score.

    Parameters
    ----------
    real_logits, synthetic_logits : float tensors (n, 1)
        Scores of the critic, any real number.

    Returns
    -------
    d_loss, g_loss : scalar tensors
        -d_loss estimates the Wasserstein-1 distance only while the critic is held to
        slopes of at most 1, for instance by :func:`gradient_penalty`.

    Notes
    -----
    Arjovsky, Chintala and Bottou (2017), equations 2 and 3.
    """
    synthetic = tf.reduce_mean(synthetic_logits)
    return synthetic - tf.reduce_mean(real_logits), -synthetic


def hinge(
    real_logits: tf.Tensor, synthetic_logits: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the hinge losses, in units of the critic's score.

    Parameters
    ----------
    real_logits, synthetic_logits : float tensors (n, 1)
        Scores of the critic, any real number.

    Returns
    -------
    d_loss, g_loss : scalar tensors
        d_loss is 0 where real samples score above 1 and synthetic ones below -1.

    Notes
    -----
    Lim and Ye (2017), "Geometric GAN"; Miyato et al. (2018), whose V_D is -d_loss.
    """
    d_loss = tf.reduce_mean(tf.nn.relu(1.0 - real_logits)) + tf.reduce_mean(
        tf.nn.relu(1.0 + synthetic_logits)
    )
    return d_loss, -tf.reduce_mean(synthetic_logits)


def relativistic(
    real_logits: tf.Tensor, synthetic_logits: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the losses of a critic that compares in pairs, in nats.

    Parameters
    ----------
    real_logits, synthetic_logits : float tensors of one shape (n, 1)
        Scores of the critic, any real number; the i-th real sample is paired with the
        i-th synthetic one.

    Returns
    -------
    d_loss, g_loss : scalar tensors
        With t = real - synthetic for each pair, E log(1 + exp(-t)) and
        E log(1 + exp(t)). Only differences count: a constant added to all scores
        changes nothing, so a score alone is no probability.

    Raises
    ------
    ValueError
        The batches differ in shape. The message shows both.

    Notes
    -----
    Jolicoeur-Martineau (2019), the relativistic standard GAN. Huang et al. (2024) call
    it the relativistic pairing GAN; with ``penalty="r1_r2"`` it is the loss of R3GAN.
    """
    if real_logits.shape != synthetic_logits.shape:
        raise ValueError(
            f"relativistic: real_logits has shape {real_logits.shape} and "
            f"synthetic_logits has shape {synthetic_logits.shape}; pairs need one "
            f"synthetic sample for each real one."
        )
    lead = real_logits - synthetic_logits
    return tf.reduce_mean(tf.nn.softplus(-lead)), tf.reduce_mean(tf.nn.softplus(lead))


def gradient_penalty(
    critic, real: tf.Tensor, synthetic: tf.Tensor, *, weight: float = 10.0, seed
) -> tf.Tensor:
    """Penalise slopes of the critic other than 1 between real and synthetic samples.

    Parameters
    ----------
    critic : callable
        Maps (n, ...) to scores (n, 1), not probabilities. A recurrent critic must
        use Keras's own layers: block cells have no second derivative.
    real, synthetic : float tensors of one shape (n, ...)
        The two ends of the segments on which slopes are measured.
    weight : float
        Lambda of the paper, 10 there.
    seed : two integers (list, tuple or int tensor of shape (2,))
        The same seed draws the same points.

    Returns
    -------
    Scalar tensor; 0 where every slope is 1.

    Raises
    ------
    ValueError
        The batches differ in shape. The message shows both.

    Notes
    -----
    Gulrajani et al. (2017), section 4. The mixing weight is uniform on [0, 1]: a
    normal one would leave the segment.
    """
    if real.shape != synthetic.shape:
        raise ValueError(
            f"gradient_penalty: real has shape {real.shape} and synthetic has shape "
            f"{synthetic.shape}; give it two batches of one shape."
        )
    shape = [tf.shape(real)[0]] + [1] * (real.shape.rank - 1)
    mix = tf.random.stateless_uniform(shape, seed=seed, dtype=real.dtype)
    between = mix * real + (1.0 - mix) * synthetic
    with tf.GradientTape() as tape:
        tape.watch(between)
        scores = critic(between)
    # The root has no derivative at 0, where an untrained critic may well start.
    norms = tf.sqrt(_squared_norms(tape.gradient(scores, between)) + 1e-12)
    return weight * tf.reduce_mean((norms - 1.0) ** 2)


def zero_centred_penalty(
    critic, samples: tf.Tensor, *, weight: float = 10.0
) -> tf.Tensor:
    """Penalise all slope of the critic at samples: R1 on real, R2 on synthetic ones.

    Parameters
    ----------
    critic : callable
        Maps (n, ...) to scores (n, 1), as in :func:`gradient_penalty`.
    samples : float tensor (n, ...)
    weight : float
        Gamma of the paper.

    Returns
    -------
    Scalar tensor, gamma / 2 times the mean of |grad D(x)|^2; 0 for a flat critic.

    Notes
    -----
    Mescheder, Geiger and Nowozin (2018), section 4.1. At the equilibrium D is flat, so
    this penalty, unlike one that asks for slopes of 1, leaves it where it is.
    """
    with tf.GradientTape() as tape:
        tape.watch(samples)
        scores = critic(samples)
    return zero_centred(tape.gradient(scores, samples), weight=weight)


def zero_centred(slopes: tf.Tensor, *, weight: float) -> tf.Tensor:
    """Return gamma / 2 times the mean squared slope, from the gradients (n, ...)."""
    return weight / 2 * tf.reduce_mean(_squared_norms(slopes))


def _squared_norms(gradients: tf.Tensor) -> tf.Tensor:
    flat = tf.reshape(gradients, [tf.shape(gradients)[0], -1])
    return tf.reduce_sum(flat**2, axis=1)
