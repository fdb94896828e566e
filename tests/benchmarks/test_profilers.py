"""What is read from NVIDIA's tools and from torch's profiler, of which there are samples here instead of runs."""

import shutil
import sys
import time
from pathlib import Path

import pytest

from benchmarks import counters, device_state, kernels
from benchmarks.commands import FailedError
from benchmarks.rows import Row
from benchmarks.stages import AbsentError

GATHER = "void amsx::cuda::<unnamed>::gather_kernel<amsx::BFloat16, 8>(amsx::RowsParams, long)"
SAMPLING = "void amsx::cuda::(anonymous namespace)::sampling_kernel<float, float>(amsx::SamplingParams)"
NCU = """==PROF== Connected to process 7
goal sizes: 22 calls on cuda
==PROF== Disconnected from process 7
"ID","Kernel Name","Block Size","Grid Size","dram__bytes_read.sum","dram__bytes_write.sum","gpu__time_duration.sum",\
"lts__t_sector_hit_rate.pct","smsp__issue_active.avg.pct_of_peak_sustained_active",\
"sm__warps_active.avg.pct_of_peak_sustained_active","launch__registers_per_thread"
"","","","","Mbyte","Kbyte","usecond","%","%","%","register/thread"
"0","KERNEL","(256, 1, 1)","(8000, 1, 1)","65.50","1,024.5","41.20","48.1","61.5","n/a","64"
""".replace("KERNEL", GATHER)


def test_counters_of_a_kernel() -> None:
    (kernel,) = counters.table(NCU)
    assert kernel == {
        "kernel": "gather_kernel<BFloat16, 8>",
        "grid": "(8000, 1, 1)",
        "block": "(256, 1, 1)",
        "duration": pytest.approx(41.2e-6),
        "dram_read": 65.5e6,
        "dram_written": 1024.5e3,
        "issue_active": 61.5,
        "occupancy": None,
        "l2_hits": 48.1,
        "registers": 64,
    }
    assert counters.table("==PROF== nothing") == []


def test_where_ncu_cannot_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(AbsentError, match="no ncu on PATH"):
        counters.count(tmp_path, 60)
    monkeypatch.setattr(shutil, "which", lambda name: "ncu")

    def answers(code: str) -> None:
        monkeypatch.setattr(counters, "command_of", lambda program: [sys.executable, "-c", code])

    answers("import sys; sys.exit('==ERROR== ERR_NVGPUCTRPERM - no permission')")
    with pytest.raises(AbsentError, match="ERR_NVGPUCTRPERM"):
        counters.count(tmp_path, 60)
    answers("import sys; sys.exit('no such option')")
    with pytest.raises(FailedError, match="no such option"):
        counters.count(tmp_path, 60)
    answers("print('==PROF== Disconnected')")
    with pytest.raises(FailedError, match="counted no kernel"):
        counters.count(tmp_path, 60)
    answers(f"print({NCU!r})")
    assert counters.count(tmp_path, 60)["kernels"][0]["registers"] == 64


def test_the_command_leaves_the_clocks_alone() -> None:
    command = counters.command_of("ncu")
    assert command[command.index("--clock-control") + 1] == "none"
    assert command[-3:] == ["-m", "benchmarks.goal_sizes", "cuda"]


def test_durations_of_kernels_apart() -> None:
    row = Row(kernels.GROUP, "forward", "amsx", {"direction": "forward"})
    flush = ("void at::native::vectorized_elementwise_kernel<...>", 1e-3)
    one, other = [flush, (SAMPLING, 7e-6), (GATHER, 40e-6)], [flush, (SAMPLING, 9e-6), (GATHER, 42e-6)]
    rows = {r.rival: r.spread for r in kernels.rows_of(row, [*one, *other] * (kernels.CALLS // 2))}
    assert list(rows) == ["sampling_kernel<float, float>", "gather_kernel<BFloat16, 8>", "all kernels"]
    assert [spread.median for spread in rows.values() if spread] == pytest.approx([8e-6, 41e-6, 49e-6])
    for seen in ([flush], one):
        (nothing,) = kernels.rows_of(row, seen)
        assert nothing.spread is None
        assert "of 8 calls" in (nothing.note or "")


def test_clocks_of_a_device() -> None:
    lines = "345, 2619, 31, 70.50, 0x0000000000000001\n1980, 2619, 48, [N/A], 0x0000000000000024\nbroken\n"
    assert device_state.summary(lines) == {
        "samples": 2,
        "sm_mhz": [345, 1980],
        "memory_mhz": [2619, 2619],
        "celsius": [31, 48],
        "watts": [70.5, 70.5],
        "slowed_by": ["idle", "software power cap", "software thermal slowdown"],
    }


def test_watching_with_nvidia_smi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    state: dict[str, object] = {}
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with device_state.watched(state):
        pass
    assert state == {"absent": "no nvidia-smi on PATH"}
    # One of an older driver, which knows only the older of two names; it goes on until it is stopped.
    program, begun = tmp_path / "nvidia-smi", tmp_path / "begun"
    program.write_text(
        f"""#!/bin/sh
case "$*" in
*event_reasons*) exit 2;;
*loop-ms*) echo '1980, 2619, 48, 300.1, 0x4'; touch {begun}; exec sleep 60;;
*) echo 0x0;;
esac
"""
    )
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(program))
    state = {}
    with device_state.watched(state):
        while not begun.exists():
            time.sleep(0.01)
    assert (state["samples"], state["sm_mhz"], state["slowed_by"]) == (1, [1980, 1980], ["software power cap"])
    program.write_text("#!/bin/sh\nexit 2\n")
    with device_state.watched(state):
        pass
    assert state["absent"] == "nvidia-smi does not tell why clocks are low"
