"""A GAN of codes, scored by the paper's protocol: its networks, and the script."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, benchmark

latent = benchmark("latent_gan")


def test_an_autoencoder_restores_windows_through_its_code():
    encoder, decoder, both = latent.autoencoder(6, 2, "both")
    x = np.random.default_rng(0).random((5, 6, 2), dtype="float32")
    codes = encoder(x)
    assert codes.shape == (5, latent.CODE)
    assert decoder(codes).shape == x.shape
    np.testing.assert_allclose(both(x), decoder(codes), rtol=1e-5)
    assert (both(x, training=True) != both(x)).numpy().any()  # noise on the codes


@pytest.mark.nightly
@pytest.mark.long
def test_the_script_scores_every_training_and_goes_on_from_its_folder(tmp_path):
    table, output = tmp_path / "table.csv", tmp_path / "scores.json"
    rows = np.random.default_rng(0).normal(size=(90, 3)).cumsum(axis=0)
    np.savetxt(table, rows, delimiter=",", header="a,b,c", comments="")
    small = "--trainings 2 --repeats 1 --steps 2 2 --code-steps 20 --gan-steps 10"
    command = [
        sys.executable, ROOT / "benchmarks" / "latent_gan.py", "--data", table,
        *small.split(), "--checkpoint-dir", tmp_path, "--output", output,
    ]  # fmt: skip

    def found():
        done = subprocess.run(command, capture_output=True, encoding="utf-8")
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(output.read_text(encoding="utf-8"))

    first = found()
    assert [row["candidate"] for row in first["scores"]][::2] == [
        "real windows",
        "restored by the autoencoder",
        "latent GAN, training 0",
        "latent GAN, training 1",
    ]
    assert (tmp_path / "codes-1.weights.h5").exists()
    assert found()["scores"] == first["scores"]
