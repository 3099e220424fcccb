"""A sweep into a bucket of a server that speaks S3: `make test-s3`."""

import fsspec
import pytest
from test_sweep import goes_on_after_failures, grid, page

from gan_notes import __main__

s3fs = pytest.importorskip("s3fs", reason="make test-s3 installs a client of S3")
moto = pytest.importorskip("moto.server", reason="make test-s3 installs a server")


@pytest.fixture
def s3(monkeypatch):
    """Return the address of an empty bucket on this machine."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    # What a reader sets, and what the worker's process inherits.
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    s3fs.S3FileSystem.clear_instance_cache()  # of another server
    fsspec.filesystem("s3").makedirs("bucket", exist_ok=True)
    yield "s3://bucket/sweep"
    server.stop()


@pytest.mark.long
def test_a_sweep_into_s3_goes_on_after_failures(tmp_path, s3, capsys):
    goes_on_after_failures(tmp_path, s3, ["--workers", "1"], capsys)


@pytest.mark.long
def test_a_bucket_that_is_not_there_is_told(tmp_path, s3, capsys):
    command = ["sweep", str(page(tmp_path)), str(grid(tmp_path, "- seed: 0"))]
    assert __main__.main([*command, "--output", "s3://other/sweep"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("gan_notes: output: s3://other/sweep cannot be used (")
    assert said.count("\n") == 1
