"""`import gan_notes` is light: a reader of prices alone never waits for TensorFlow."""

import subprocess
import sys

SCRIPT = """
import sys, time
started = time.perf_counter()
import gan_notes
seconds = time.perf_counter() - started
heavy = sorted({"tensorflow", "keras", "pandas", "matplotlib"} & set(sys.modules))
print(f"{seconds:.3f}", *heavy)
"""


def run(script):
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_import_is_fast_and_loads_no_framework():
    best = min(run(SCRIPT).stdout.split() for _ in range(3))
    seconds, heavy = float(best[0]), best[1:]
    assert heavy == []
    assert seconds < 0.5


def test_prices_and_windows_work_without_a_framework():
    done = run(
        "import sys\n"
        "from gan_notes import load_prices, make_windows\n"
        "windows = make_windows(load_prices('KO GE'))\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
        "print(windows.train.shape[1:])"
    )
    assert done.stdout.strip() == "(24, 2)", done.stderr


def test_another_backend_is_one_clear_error():
    done = run(
        "import os; os.environ['KERAS_BACKEND'] = 'jax'\n"
        "try:\n    import gan_notes\n"
        "except ImportError as error:\n    print(error)"
    )
    assert "KERAS_BACKEND=tensorflow" in done.stdout


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
        "print(session.get(f'http://127.0.0.1:{server.server_port}/').status_code)"
    )
    assert done.stdout.split()[-1:] == ["200"], done.stderr
