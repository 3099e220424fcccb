"""Room in memory: refused early, with figures and a remedy; else nobody notices."""

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_windows import walk

from gan_notes import make_windows
from gan_notes.data import room, windows


@pytest.fixture
def available(monkeypatch):
    """Return a function that sets how many bytes are free."""
    return lambda number: monkeypatch.setattr(room, "free", lambda: number)


@given(
    windows=st.integers(1, 10**7),
    length=st.integers(1, 252),
    features=st.integers(1, 500),
    copies=st.floats(0.5, 50),
    free=st.integers(10**6, 10**12),
)
def test_what_fits_passes_and_what_does_not_is_refused(
    windows, length, features, copies, free
):
    asked = 8 * windows * length * features * copies
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "free", lambda: free)
        if asked > free:
            said = f"{windows:,} windows of {length} x {features} need about"
            with pytest.raises(ValueError, match=said):
                room.check(windows, length, features, copies=copies)
        else:
            needed = room.check(windows, length, features, copies=copies)
            assert needed == pytest.approx(asked)


def test_the_refusal_has_parameter_figures_and_remedy(available):
    available(2e9)
    with pytest.raises(ValueError, match="synthetic: ") as error:
        room.check(100_000, 24, 6, copies=25, name="synthetic", remedy="give fewer")
    assert str(error.value) == (
        "synthetic: 100,000 windows of 24 x 6 need about 2.9 GB of memory, and 2.0 GB "
        "are free; give fewer."
    )
    with pytest.raises(ValueError, match=r"GB of memory and 75 minutes on 2 cores, a"):
        room.check(100_000, 24, 6, copies=25, minutes=75)


def test_what_is_free_is_the_machine_s_or_the_container_s(tmp_path, monkeypatch):
    machine = psutil.virtual_memory().available
    monkeypatch.setattr(room, "CONTAINER", tmp_path)
    assert room.free() == pytest.approx(machine, rel=0.5)  # it changes all the time
    told = {"memory.max": "max", "memory.current": "900000"}
    told["memory.stat"] = "anon 700000\ninactive_file 50000\nactive_file 9"
    for name, text in told.items():
        (tmp_path / name).write_text(f"{text}\n", encoding="ascii")
    assert room.free() > 1_000_000
    (tmp_path / "memory.max").write_text("1000000\n", encoding="ascii")
    assert room.free() == 150_000  # what is taken is not free, what is cached is
    (tmp_path / "memory.max").write_text("800000\n", encoding="ascii")
    assert room.free() == 0


def test_windows_are_refused_before_they_are_cut(available, monkeypatch):
    def cut(*_):
        raise AssertionError("they were cut")

    prices = walk(days=2_000, tickers=10)
    available(10_000_000)
    assert len(make_windows(prices, sequence_length=4).train)
    monkeypatch.setattr(windows, "_cut", cut)
    with pytest.raises(ValueError, match=r"^sequence_length: 2,000 windows of 120 x 1"):
        make_windows(prices, sequence_length=120)
