"""`import gan_notes` is light: a reader of prices alone never waits for TensorFlow."""

import re
import subprocess
import sys

import pytest


def run(script):
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_import_loads_nothing_but_yahoos_http_library():
    done = run(
        "import sys\n"
        "before = set(sys.modules)\n"
        "import gan_notes\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(new - sys.stdlib_module_names))"
    )
    light = {"gan_notes", "curl_cffi", "_cffi_backend", "cffi", "certifi"}
    assert "gan_notes" in done.stdout.split(), done.stderr
    assert set(done.stdout.split()) <= light


def test_prices_and_windows_work_without_a_framework():
    done = run(
        "import sys\n"
        "from gan_notes import load_prices, make_windows\n"
        "windows = make_windows(load_prices('KO GE'))\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
        "print(windows.train.shape[1:])"
    )
    assert done.stdout.strip() == "(24, 2)", done.stderr


OTHER_BACKEND = "import os; os.environ['KERAS_BACKEND'] = 'jax'\n"
# As in an environment without it: the import system finds no such package.
NO_TENSORFLOW = "import sys; sys.modules['tensorflow'] = None\n"


@pytest.mark.parametrize("start", [OTHER_BACKEND, NO_TENSORFLOW])
def test_prices_and_windows_ask_for_no_engine(start):
    done = run(
        start + "from gan_notes import load_prices, make_windows\n"
        "windows = make_windows(load_prices('KO GE'))\n"
        "print(windows.train.shape[1:])"
    )
    assert done.stdout.strip() == "(24, 2)", done.stderr


@pytest.mark.parametrize("name", ["GAN", "ReturnsGAN", "TimeGAN", "pretrained"])
@pytest.mark.parametrize(
    ("start", "match"),
    [
        (OTHER_BACKEND, "runs on Keras .* is 'jax'; set KERAS_BACKEND=tensorflow"),
        (NO_TENSORFLOW, r"needs TensorFlow, .* pip install \"gan-notes\[tensorflow\]"),
    ],
)
def test_a_model_without_its_engine_is_one_clear_error(name, start, match):
    done = run(
        start + "import gan_notes\n"
        f"try:\n    gan_notes.{name}\n"
        "except ImportError as error:\n    print(error)"
    )
    assert re.fullmatch(f"gan_notes.{name} {match}.*\\.\n", done.stdout), done


def test_a_backend_that_keras_has_already_counts():
    # Keras reads its setting once, so what it runs on is what matters.
    done = run(
        "import sys, types\n"
        "keras = types.ModuleType('keras')\n"
        "keras.config = types.SimpleNamespace(backend=lambda: 'torch')\n"
        "sys.modules['keras'] = keras\n"
        "import gan_notes\n"
        "try:\n    gan_notes.GAN\n"
        "except ImportError as error:\n    print(error)"
    )
    assert "the Keras backend is 'torch'" in done.stdout, done.stderr


@pytest.mark.long
def test_the_browser_session_survives_tensorflow():
    # TensorFlow exports symbols of its own curl, which break one that is loaded later.
    done = run(
        "import http.server, threading\n"
        "import gan_notes, tensorflow\n"
        "from curl_cffi.requests import Session\n"
        "kind = http.server.SimpleHTTPRequestHandler\n"
        "server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), kind)\n"
        "threading.Thread(target=server.serve_forever, daemon=True).start()\n"
        "session = Session(impersonate='chrome')\n"
        "print(session.get(f'http://127.0.0.1:{server.server_port}/').status_code)\n"
        "print(gan_notes.TENSORFLOW_CAME_FIRST)"
    )
    assert done.stdout.split()[-2:] == ["200", "False"], done.stderr


@pytest.mark.long
def test_tensorflow_before_us_is_noticed():
    done = run("import tensorflow, gan_notes\nprint(gan_notes.TENSORFLOW_CAME_FIRST)")
    assert done.stdout.split()[-1:] == ["True"], done.stderr
