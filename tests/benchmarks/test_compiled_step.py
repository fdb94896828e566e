"""A line for every phase; nothing is compiled here."""

import torch

from benchmarks import compiled_step


def test_a_line_for_every_phase_of_both_kinds_of_videos(capsys, monkeypatch):
    compiled = []

    def keep(function):
        compiled.append(function)
        return function

    monkeypatch.setattr(torch, "compile", keep)
    compiled_step.main(["--quick", "--steps", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(", phase ")[1].split(",")[0] for line in lines] == ["zero", "one", "two"] * 2
    assert len(compiled) == 2
