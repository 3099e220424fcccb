"""A WGAN-GP in the space of an autoencoder's codes, by the TimeGAN paper's protocol.

    python benchmarks/latent_gan.py --data stock_data.csv --checkpoint-dir FOLDER

Levels are smooth, so 32 numbers may hold a window of them: an autoencoder of two
recurrent networks finds such codes first, and then a plain GAN learns their
distribution. Neither needs a supervisor.

Trains `--trainings` of them, one seed each, and scores them as `paper_protocol.py`
does, beside the real windows and what the first autoencoder restores. A training that
was stopped goes on from the folder. The last line is JSON; the same goes to --output.
"""

import time

import paper_protocol

CODE = 32  # numbers for a window
NOISE = 0.02  # on the codes, so that near ones are restored to near windows
UNITS, WIDTH = 48, 256  # of the recurrent networks, and of the GAN's three layers
CODE_STEPS, GAN_STEPS = 8_000, 12_000
BATCH, GAN_BATCH = 128, 256


def autoencoder(length, features, name):
    """Build encoder and decoder; return both, and the model that trains them."""
    import keras
    from keras import layers as k

    from gan_notes.models import layers

    window = keras.Input((length, features))
    hidden = layers.GRU(UNITS, return_sequences=True)(window)
    hidden = layers.GRU(UNITS, return_sequences=True)(hidden)
    pooled = [k.GlobalAveragePooling1D()(hidden), k.GlobalMaxPooling1D()(hidden)]
    code = k.Dense(CODE, "tanh")(k.Concatenate()([hidden[:, -1], *pooled]))
    encoder = keras.Model(window, code, name="encoder")

    given = keras.Input((CODE,))
    hidden = k.RepeatVector(length)(given)
    for _ in range(2):
        hidden = layers.GRU(UNITS, return_sequences=True)(hidden)
    restored = k.Dense(features, "sigmoid")(hidden)
    decoder = keras.Model(given, restored, name="decoder")
    noisy = k.GaussianNoise(NOISE, seed=0)(encoder(window))
    return encoder, decoder, keras.Model(window, decoder(noisy), name=name)


def gan_of_codes(steps, seed, name):
    """Build a WGAN-GP on vectors, its rates falling along a cosine."""
    import keras

    from gan_notes import GAN
    from gan_notes.models import returns

    def network(outputs):
        hidden = [keras.layers.Dense(WIDTH, "leaky_relu") for _ in range(3)]
        return keras.Sequential(
            [keras.Input((CODE,)), *hidden, keras.layers.Dense(outputs)]
        )

    gan = GAN(
        network(CODE),
        network(1),
        loss="wasserstein",
        penalty="gradient",
        discriminator_steps=5,
        seed=seed,
        name=name,
    )

    gan.compile(*returns.optimizers(steps, gan.discriminator_steps))
    return gan


def train(real, seed, code_steps, gan_steps, folder):
    """Return synthetic windows, as many as the real ones, and the restored ones."""
    import keras

    from gan_notes.training import draws, loop

    keras.utils.set_random_seed(seed)
    shape = real.shape[1:]
    encoder, decoder, both = autoencoder(*shape, f"autoencoder-{seed}")
    rate = keras.optimizers.schedules.CosineDecay(1e-3, code_steps)
    both.compile(
        keras.optimizers.Adam(rate),
        "mse",
        steps_per_execution=min(10, code_steps),
        jit_compile=False,
    )
    loop.fit(
        both,
        real,
        steps=code_steps,
        batch_size=BATCH,
        seed=seed,
        checkpoint_dir=folder,
    )
    codes = draws.in_parts(encoder, real)
    mean, deviation = codes.mean(axis=0), codes.std(axis=0) + 1e-6
    gan = gan_of_codes(gan_steps, seed, f"codes-{seed}")
    gan.fit(
        (codes - mean) / deviation,
        steps=gan_steps,
        batch_size=min(GAN_BATCH, len(codes)),
        checkpoint_dir=folder,
    )
    drawn = gan.generate(len(real), seed=seed) * deviation + mean
    return draws.in_parts(decoder, drawn), draws.in_parts(decoder, codes)


def main():
    """Run the command line."""
    command = paper_protocol.parser(__doc__)
    command.add_argument("--trainings", type=int, default=3)
    command.add_argument("--code-steps", type=int, default=CODE_STEPS)
    command.add_argument("--gan-steps", type=int, default=GAN_STEPS)
    command.add_argument("--checkpoint-dir", default="")
    options = command.parse_args()
    real, about = paper_protocol.begin(options)
    candidates, seconds = {}, []
    for seed in range(options.trainings):
        began = time.perf_counter()
        drawn, restored = train(
            real,
            seed,
            options.code_steps,
            options.gan_steps,
            options.checkpoint_dir,
        )
        candidates.setdefault("restored by the autoencoder", restored)
        candidates[f"latent GAN, training {seed}"] = drawn
        seconds.append(round(time.perf_counter() - began))
    more = {
        "trainings": options.trainings,
        "code_steps": options.code_steps,
        "gan_steps": options.gan_steps,
        "training_seconds": seconds,
    }
    paper_protocol.judge(options, real, about, candidates, more)


if __name__ == "__main__":
    main()
