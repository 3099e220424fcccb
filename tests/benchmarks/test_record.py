"""What the scripts store is there whole; of two processes the first one counts."""

import json

import pytest
from conftest import benchmark

record = benchmark("record")


def test_a_value_is_kept_whole_or_not_at_all(tmp_path):
    path = tmp_path / "about.json"
    record.keep(path, {"a": 1})
    with pytest.raises(TypeError, match="not JSON serializable"):
        record.keep(path, {"a": object()})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": 1}
    record.keep(path, {"a": 2})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": 2}
    assert [file.name for file in tmp_path.iterdir()] == ["about.json"]


def test_of_two_processes_the_first_one_counts(tmp_path, monkeypatch):
    path = tmp_path / "about.json"
    record.keep(path, 1, first=True)
    record.keep(path, 2, first=True)
    # Both looked before either had written: the second still does not replace.
    monkeypatch.setattr(type(path), "exists", lambda self: False)
    record.keep(path, 3, first=True)
    monkeypatch.undo()
    assert path.read_text(encoding="utf-8") == "1\n"
    assert [file.name for file in tmp_path.iterdir()] == ["about.json"]
