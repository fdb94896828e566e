"""Ratios to the copy, declared bytes, the JSON form."""

import json
import time

import pytest
import torch

from benchmarks import measuring
from benchmarks.measuring import measure
from benchmarks.rows import Row, find, formatted
from benchmarks.settings import Settings
from benchmarks.timing import Call, Contender, Spread, UnavailableError, ready
from benchmarks.workloads import Workload, declared_bytes


def test_declared_bytes() -> None:
    feats = torch.zeros(2, 5, 7)
    assert declared_bytes(feats) == 2 * 5 * 7 * 4
    assert declared_bytes(feats, feats.half(), feats[:, ::2]) == 2 * 5 * 7 * (4 + 2) + 2 * 3 * 7 * 4


def test_inputs_are_the_same_on_every_call() -> None:
    workload = Workload(B=2, T=6, D=4, C=3, dtype="bfloat16")
    (feats, cas), (again, _) = workload.inputs("cpu"), workload.inputs("cpu")
    assert feats.shape == (2, 6, 4)
    assert cas.shape == (2, 6, 3)
    assert feats.dtype == torch.bfloat16
    assert torch.equal(feats, again)


def fixed(monkeypatch: pytest.MonkeyPatch, medians: dict[str, float | str]) -> None:
    def compare(contenders: list[Contender], **_: object) -> dict[str, Spread | str]:
        return {c.name: m if isinstance(m := medians[c.name], str) else Spread.of([m]) for c in contenders}

    monkeypatch.setattr(measuring, "compare", compare)


def contender(name: str, size: int | None) -> Contender:
    return Contender(name, ready(lambda: None), bytes=size)


def test_ratio_and_share_of_the_copys_bandwidth(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed(monkeypatch, {"clone": 2.0, "amsx": 2.5, "other": "no compiler"})
    contenders = [contender("clone", 100), contender("amsx", 110), contender("other", 110)]
    clone, amsx, other = measure("g", "case", {"T": 3}, contenders, Settings())
    assert (clone.ratio, clone.copy_percent) == (1.0, 100.0)
    assert amsx.ratio == 1.25
    assert amsx.copy_percent == pytest.approx(100 * (110 / 2.5) / (100 / 2.0))
    assert other.spread is None
    assert other.note == "no compiler"
    assert "no compiler" in capsys.readouterr().out


def test_no_ratio_without_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    fixed(monkeypatch, {"amsx": 2.5})
    (row,) = measure("g", "case", {}, [contender("amsx", None)], Settings())
    assert row.ratio is None
    assert row.copy_percent is None


def test_out_of_time_nothing_is_prepared() -> None:
    def prepare() -> Call:
        raise AssertionError("prepared after the deadline")

    (row,) = measure("g", "case", {}, [Contender("amsx", prepare)], Settings(deadline=time.monotonic() - 1))
    assert row.spread is None
    assert row.note is not None
    assert "time limit" in row.note


def test_unavailable_in_a_whole_case() -> None:
    def absent() -> Call:
        raise UnavailableError("no nvcc")

    clone, amsx = measure(
        "g", "case", {}, [Contender("clone", absent, bytes=1), contender("amsx", 1)], Settings(repeats=2)
    )
    assert clone.note == "no nvcc"
    assert amsx.ratio is None
    assert amsx.spread is not None
    assert amsx.spread.count == 2


def test_json_form() -> None:
    row = Row("g", "case", "amsx", {"T": 3}, clock="wall", spread=Spread.of([1.0, 2.0]), bytes=8, ratio=1.1)
    document = json.loads(json.dumps(row.to_json(), allow_nan=False))
    assert document["spread"] == {"minimum": 1.0, "lower": 1.25, "median": 1.5, "upper": 1.75, "count": 2}
    assert document["parameters"] == {"T": 3}
    assert document["ratio"] == 1.1


def test_find() -> None:
    spread = Spread.of([1.0])
    table = [
        Row("g", "", "amsx", {"T": 1}, clock="cold", spread=spread),
        Row("g", "", "amsx", {"T": 2}, clock="wall"),
        Row("g", "", "amsx", {"T": 2}, clock="wall", spread=spread),
    ]
    assert find(table, "g", "amsx", T=2) is table[2]
    assert find(table, "g", "amsx", "wall", T=1) is None
    assert find(table, "h", "amsx") is None


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.5, "s", "1.50 s"),
        (0.0123, "s", "12.30 ms"),
        (2.5e-6, "s", "2.50 us"),
        (3.2e7, "B", "32.00 MB"),
        (4, "%", "4.00 %"),
    ],
)
def test_figures_stay_readable(value: float, unit: str, text: str) -> None:
    assert formatted(value, unit) == text


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="device is 'tpu'; expected cpu or cuda"):
        Settings(device="tpu")
    with pytest.raises(ValueError, match="threads is 0"):
        Settings(threads=0)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="sees no GPU"):
            Settings(device="cuda")
