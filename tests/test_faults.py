"""What happens when something breaks: rows of the table in "How to use this book".

Nothing finished is lost, nothing half-written is taken for finished, every message says
what to do. Faults of files, of Yahoo and of checkpoints have their tests beside those
modules; the table names them, and the last test here holds that they exist.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import ROOT, dead_mount
from test_sweep import grid, page

from gan_notes import sweep

ONCE = """
import signal
from pathlib import Path
mark = Path(tickers)
if tickers and seed == 1 and not mark.exists():
    mark.touch()
    {}
"""
# A run is at work until this file is there; then it ends at once.
WAITS = """
from pathlib import Path
if seed >= 2:
    while not Path(tickers).exists():
        time.sleep(0.1)
"""
GRID = "product: {{tickers: [{!r}], seed: [{}]}}"


def metrics(output):
    """Return what each finished run has left, by seed, and when it was written."""
    found = {}
    for path in Path(output).glob("runs/*/metrics.json"):
        seed = json.loads(path.read_text(encoding="utf-8"))["parameters"]["seed"]
        found[seed] = path.stat().st_mtime_ns
    return found


def whole(output, made, seeds):
    """Hold that all is finished and that nothing half-done is left."""
    assert made.complete, made.runs
    assert set(metrics(output)) == set(seeds)
    names = {path.name for path in Path(output).iterdir()}
    assert not [name for name in names if name.startswith(".partial")]
    assert {"report.html", "summary.csv", "summary.parquet", "runs.csv"} <= names
    assert made.metrics["seed"].nunique() == len(seeds)


def kernels(folder):
    """Return the kernels that work inside a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(folder) in Path(process.cwd()).parents:
                found.append(process)
        except (psutil.Error, OSError):
            continue  # it has ended, or is not ours
    return found


def until(condition, seconds=300):
    """Wait for something to come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.2)


def start(*arguments):
    """Start a command in a group of its own, as a terminal does."""
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
        # What a shell runs in the background ignores Ctrl-C, and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.long
def test_nobody_else_of_this_machine_can_hand_work_to_a_worker():
    """Dask's messages hold pickles: its processes talk to who has their key."""
    with sweep._cluster(1, "", gpu=False) as client:
        assert client.submit(os.getpid).result() != os.getpid()
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        with pytest.raises(OSError, match=r"reset|closed|imed out"):
            sweep.Client(address.replace("tls://", "tcp://"), timeout=2)


@pytest.mark.long
def test_a_worker_killed_in_the_middle_is_replaced(tmp_path):
    mark = tmp_path / "mark"
    book = page(tmp_path, ONCE.format("os.kill(os.getppid(), signal.SIGKILL)"))
    path = grid(tmp_path, GRID.format(str(mark), "0, 1, 2"))
    made = sweep.sweep(book, path, str(tmp_path / "out"), workers=1)
    assert mark.exists()
    whole(tmp_path / "out", made, {0, 1, 2})


@pytest.mark.long
def test_a_run_that_kills_its_worker_each_time_fails_alone(tmp_path, monkeypatch):
    body = "if seed == 1:\n    os.kill(os.getppid(), 9)"
    book, path = page(tmp_path, body), grid(tmp_path, "product: {seed: [0, 1, 2]}")
    with sweep.config.set({"distributed.scheduler.allowed-failures": 1}):
        made = sweep.sweep(book, path, str(tmp_path / "out"), workers=1)
    assert set(metrics(tmp_path / "out")) == {0, 2}
    (error,) = made.failed["error"]
    assert "its worker was killed again and again, most often for want of" in error
    assert "take fewer --workers" in error


@pytest.mark.long
def test_a_kernel_that_dies_and_one_that_takes_too_long_are_told(tmp_path, capfd):
    body = (
        "os.write(2, b'a line of C++')\n"
        "if seed == 1:\n    os.kill(os.getpid(), 9)\n"
        "if seed == 2:\n    import time; time.sleep(1000)"
    )
    book, path = page(tmp_path, body), grid(tmp_path, "product: {seed: [0, 1, 2]}")
    made = sweep.sweep(book, path, str(tmp_path / "out"), workers=1, timeout=40)
    assert set(metrics(tmp_path / "out")) == {0}
    died, late = made.failed["error"]
    assert "its kernel died, most often for want of memory; take fewer" in died
    assert "longer than --timeout allows; allow more" in late
    assert len(list((tmp_path / "out" / "failed").glob("*/page.ipynb"))) == 2
    until(lambda: not kernels(tmp_path / "out"), 60)
    for log in (tmp_path / "out").glob("*/*/log.txt"):
        assert "a line of C++" in log.read_text(encoding="utf-8")
    assert "C++" not in capfd.readouterr().err, "the terminal is for the progress"
    page_text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page_text.index("2 failed") < page_text.index("coverage")


def begun(tmp_path):
    """Start a sweep by the command line; return it once two of three runs are in."""
    book, go = page(tmp_path, WAITS), tmp_path / "go"
    path = grid(tmp_path, GRID.format(str(go), "0, 1, 2"))
    output = tmp_path / "out"
    command = [
        "gan_notes", "sweep", book, path, "--output", output, "--workers", 1
    ]  # fmt: skip
    process = start(*command)
    until(lambda: set(metrics(output)) == {0, 1} and kernels(output))
    return process, book, path, output


def goes_on(book, path, output):
    """Resume, and hold that what was finished was not done again."""
    before = metrics(output)
    made = sweep.sweep(book, path, str(output), workers=1, resume=True)
    whole(output, made, {0, 1, 2})
    after = metrics(output)
    assert {seed: after[seed] for seed in before} == before


@pytest.mark.long
def test_a_sweep_that_is_killed_goes_on_and_leaves_no_process(tmp_path):
    process, *sweep_of = begun(tmp_path)
    process.kill()
    process.communicate(timeout=120)  # until its workers have ended too
    (tmp_path / "go").touch()  # whoever comes later does not wait
    until(lambda: not kernels(tmp_path / "out"), 120)
    assert set(metrics(tmp_path / "out")) <= {0, 1, 2}
    goes_on(*sweep_of)


@pytest.mark.long
def test_ctrl_c_writes_what_is_finished_and_says_how_to_go_on(tmp_path):
    process, book, path, output = begun(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 130, said
    assert "3 runs: 2 finished, 0 failed, 1 waiting" in said
    assert "stopped: interrupted; go on by --resume" in said
    assert "Traceback" not in said
    assert "2 of 3 runs finished" in (output / "report.html").read_text(
        encoding="utf-8"
    )
    until(lambda: not kernels(output), 120)
    (tmp_path / "go").touch()
    goes_on(book, path, output)


@pytest.mark.long
def test_a_scheduler_that_is_lost_is_named_and_the_sweep_goes_on_elsewhere(tmp_path):
    scheduler = start("distributed.cli.dask_scheduler", "--host", "127.0.0.1",
                      "--port", 0, "--no-dashboard")  # fmt: skip
    worker = None
    try:
        line = next(line for line in scheduler.stdout if "Scheduler at:" in line)
        address = line.split()[-1]
        # On a busy machine it needs some seconds to find the scheduler.
        worker = start("distributed.cli.dask_worker", address, "--nthreads", 1,
                       "--no-dashboard", "--death-timeout", 30)  # fmt: skip
        book, go = page(tmp_path, WAITS), tmp_path / "go"
        path = grid(tmp_path, GRID.format(str(go), "0, 1, 2"))
        output = tmp_path / "out"
        process = start("gan_notes", "sweep", book, path, "--output", output,
                        "--scheduler", address)  # fmt: skip
        until(lambda: set(metrics(output)) == {0, 1} and kernels(output))
        scheduler.kill()
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 1, said
        assert f"stopped: the scheduler {address} is gone; go on by --resume" in said
        assert "2 finished, 0 failed, 1 waiting" in said
        go.touch()
        until(lambda: not kernels(output), 120)
        goes_on(book, path, output)
    finally:
        for started in (scheduler, worker):
            if started:
                started.kill()
                started.communicate()


@pytest.mark.long
def test_each_worker_of_this_machine_has_a_gpu_of_its_own(tmp_path, monkeypatch):
    """Which GPU a run may see; whether there is one, TensorFlow finds out."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    seen = tmp_path / "seen"
    seen.mkdir()
    body = (
        f"open({str(seen)!r} + '/' + os.environ['CUDA_VISIBLE_DEVICES'], 'w').close()\n"
        f"while len(os.listdir({str(seen)!r})) < 2: time.sleep(0.1)"
    )
    book, path = page(tmp_path, body), grid(tmp_path, "product: {seed: [0, 1]}")
    out = tmp_path / "out"
    made = sweep.sweep(book, path, str(out), workers=2, gpu=True, timeout=300)
    whole(out, made, {0, 1})
    assert {path.name for path in seen.iterdir()} == {"3", "5"}


BIG = "if seed == 1:\n    open('big', 'wb').write(bytes(steps * 2**20))"


@pytest.fixture
def small(mount):
    """Return a disk of 4 MB of its own."""
    if not os.path.ismount(mount):
        pytest.skip("only root may mount a small disk, on Linux")
    return mount


@pytest.mark.long
def test_a_run_too_large_for_the_disk_fails_alone(small):
    book = page(small.parent, BIG)
    path = grid(small.parent, "product: {seed: [0, 1, 2], steps: [8]}")
    made = sweep.sweep(book, path, str(small / "out"), workers=1)
    assert set(metrics(small / "out")) == {0, 2}
    (error,) = made.failed["error"]
    assert "No space left on device" in error
    subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
    made = sweep.sweep(book, path, str(small / "out"), workers=1, resume=True)
    whole(small / "out", made, {0, 1, 2})


@pytest.mark.long
def test_a_disk_that_stays_full_stops_the_sweep(small):
    """None of the runs that are left is tried, to fail for the same reason."""
    ballast = small / "ballast"
    body = f"if seed == 1:\n    open({str(ballast)!r}, 'wb').write(bytes(8 * 2**20))"
    book = page(small.parent, body)
    path = grid(small.parent, "product: {seed: [0, 1, 2, 3, 4, 5]}")
    with pytest.raises(ValueError, match=r"cannot be used \(No space left") as error:
        sweep.sweep(book, path, str(small / "out"), workers=1)
    assert "what was finished is kept. Mend that, and go on by --resume" in str(
        error.value
    )
    assert 0 in metrics(small / "out")
    assert not {3, 4, 5} & set(metrics(small / "out"))
    ballast.unlink()


@pytest.mark.long
def test_a_disk_that_may_only_be_read_is_refused(small):
    book = page(small.parent, "raise SystemExit('work began')")
    path = grid(small.parent, "- seed: 0")
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    with pytest.raises(ValueError, match=r"cannot be written to \(Read-only file"):
        sweep.sweep(book, path, str(small / "out"), workers=1)


@pytest.mark.long
def test_an_output_whose_mount_dies_stops_the_sweep_and_it_goes_on(tmp_path):
    process, book, path, output = begun(tmp_path)
    try:
        with dead_mount(output):
            (tmp_path / "go").touch()
            said, _ = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 1, said
    assert "cannot be used (Transport endpoint is not connected)" in said
    assert "what was finished is kept. Mend that, and go on by --resume" in said
    until(lambda: not kernels(output), 120)
    goes_on(book, path, output)


def test_every_row_of_the_table_has_its_test():
    text = (ROOT / "book" / "how_to_use.md").read_text(encoding="utf-8")
    table = re.findall(r"^\|.*\|.*\| `(test_\w+)`: (.*) \|$", text, re.M)
    assert len(table) >= 18
    for file, words in table:
        (path,) = (ROOT / "tests").rglob(f"{file}.py")
        name = f"test_{words.replace(' ', '_')}"
        assert f"def {name}(" in path.read_text(encoding="utf-8"), name
