"""The border to the native core: every field of an operation's parameters by name, and anything else refused."""

from typing import Any

import pytest
import torch

from amsx.ops import native

SOURCE, TIMESTAMPS = torch.arange(12.0).reshape(1, 4, 3), torch.tensor([[0.0, 0.5, 1.25, 3.0]])
OUT = torch.empty_like(SOURCE)


def gather(*more: dict[str, Any], without: str = "", **changed: Any) -> int:
    """Calls the core's `gather` with its fields, less the one `without`, with the `changed` ones, and with `more`."""
    fields: dict[str, Any] = {
        "device": -1,
        "stream": None,
        "threads": 1,
        "videos": 1,
        "snippets": 4,
        "lengths": None,
        "dims": 3,
        "source": SOURCE.data_ptr(),
        "source_dtype": 2,
        "source_stride": (12, 3),
        "timestamps": TIMESTAMPS.data_ptr(),
        "timestamps_dtype": 2,
        "out": OUT.data_ptr(),
        **changed,
    }
    fields.pop(without, None)
    return native._core().gather((fields, *more))


def test_the_order_and_the_grouping_of_fields_do_not_matter() -> None:
    expected = [[0, 1, 2], [1.5, 2.5, 3.5], [3.75, 4.75, 5.75], [9, 10, 11]]
    assert gather() == 0
    assert OUT[0].tolist() == expected
    for name, value in [("threads", 1), ("source_stride", (12, 3)), ("out", OUT.data_ptr())]:
        OUT.zero_()
        assert gather({name: value}, without=name) == 0
        assert OUT[0].tolist() == expected


@pytest.mark.parametrize("name", ["device", "videos", "lengths", "source", "source_stride", "timestamps_dtype", "out"])
def test_a_missing_field(name: str) -> None:
    with pytest.raises(TypeError, match=f"^gather: the field '{name}' is missing$"):
        gather(without=name)


def test_an_unknown_field() -> None:
    with pytest.raises(TypeError, match=r"^gather: there is no field 'channels'$"):
        gather(channels=3)
    with pytest.raises(TypeError, match=r"^gather: there is no field 'ouch'$"):  # rather than: 'out' is missing
        gather({"ouch": OUT.data_ptr()}, without="out")


def test_a_repeated_field() -> None:
    with pytest.raises(TypeError, match=r"^gather: the field 'dims' is given twice$"):
        gather({"dims": 3})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("videos", -1, "is -1; expected an int >= 0"),
        ("snippets", 4.0, r"is 4\.0; expected an int >= 0"),
        ("dims", True, "is True; expected an int >= 0"),
        ("dims", 2**64, f"is {2**64}; expected an int >= 0"),
        ("dims", None, "is None; expected an int >= 0"),
        ("threads", "1", "is '1'; expected an int >= -1"),
        ("device", -2, "is -2; expected an int >= -1"),
        ("source", -8, "is -8; expected an address or None"),
        ("timestamps", 1.5, r"is 1\.5; expected an address or None"),
        ("source_dtype", 4, "is 4; expected the number of an element type, 0 to 3"),
        ("source_stride", (12, 3, 1), r"is \(12, 3, 1\); expected a tuple of 2 strides"),
        ("source_stride", (12, -3), r"is \(12, -3\); expected a tuple of 2 strides"),
        ("source_stride", [12, 3], r"is \[12, 3\]; expected a tuple of 2 strides"),
    ],
)
def test_a_value_of_the_wrong_kind(name: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^gather: the field '{name}' {message}"):
        gather(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("eta", 1, "expected a float"), ("mean", 0, "expected True or False"), ("cas_stride", (1, 1), "of 3 strides")],
)
def test_a_value_of_the_wrong_kind_for_sampling(
    name: str, value: object, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = native._core()

    class Changed:
        def sampling(self, groups: tuple[dict[str, Any], ...]) -> int:
            return core.sampling(tuple({k: value if k == name else v for k, v in group.items()} for group in groups))

    monkeypatch.setattr(native, "_C", Changed())
    with pytest.raises(ValueError, match=f"^sampling: the field '{name}' .*{message}"):
        torch.ops.amsx.sampling_weights(torch.rand(1, 4, 3), None, None, 0.75, False)


def test_what_is_not_a_tuple_of_dictionaries() -> None:
    with pytest.raises(TypeError):
        native._core().gather({})
    with pytest.raises(TypeError, match=r"^gather: expected dictionaries of fields$"):
        native._core().gather((1,))
    with pytest.raises(TypeError, match=r"^gather: the field 'device' is missing$"):
        native._core().gather(())
