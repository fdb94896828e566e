"""The reference of settings: complete, from one source, and what docs/configuration.md shows."""

from pathlib import Path

from amsx.evaluation.protocols import Protocol
from amsx.ops.sampling import Sampled
from amsx.training.config import Config, to_dict
from amsx.training.config_reference import field_comments, markdown, settings


def test_every_key_is_described_once() -> None:
    keys = [(setting.section, setting.key) for setting in settings()]
    assert keys and len(keys) == len(set(keys))
    assert set(keys) == {(section, key) for section, values in to_dict(Config()).items() for key in values}
    assert all(setting.description and "|" not in setting.description for setting in settings())


def test_a_setting() -> None:
    dropout = next(setting for setting in settings() if setting.key == "dropout")
    assert (dropout.section, dropout.type, dropout.default, dropout.range) == ("model", "number", "0.5", "in [0, 1)")
    assert "W-TALC" in dropout.description
    mode = next(setting for setting in settings() if setting.key == "mode")
    assert (mode.type, mode.default, mode.range) == ('`"grid"`, `"continuous"`', '"grid"', "")


def test_the_page_of_the_documentation_is_what_the_generator_writes() -> None:
    page = Path(__file__).parents[2] / "docs" / "configuration.md"
    assert page.read_text(encoding="utf-8") == markdown(), (
        "python -m amsx.training.config_reference > docs/configuration.md"
    )


def test_comments_above_fields_and_behind_them() -> None:
    comments = field_comments(Protocol)
    assert comments["frames"].startswith("(frames per second, frames per snippet): times in snippets")
    assert comments["frames"].endswith("None: times as they are.")
    assert field_comments(Sampled)["feats"].startswith("(B, T, D)")
