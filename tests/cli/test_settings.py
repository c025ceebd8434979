"""--set key=value is read by the type of the parameter."""

import pytest

from fastrec.cli.settings import parse_settings
from fastrec.errors import InputError


class Model:
    """Parameters of every kind that models have."""

    def __init__(
        self,
        *,
        dim: int = 8,
        rate: float = 1,
        window: int | None = 5,
        label: str | None = None,
        shuffle: bool = True,
        layers: tuple[int, ...] = (1,),
        mixed: int | str = 1,
    ) -> None:
        pass


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("dim=128", 128),
        ("dim= 128", 128),
        ("rate=2", 2.0),
        ("rate=1e-3", 1e-3),
        ("window=7", 7),
        ("window=none", None),
        ("label=none", None),
        ("label=a=b", "a=b"),
        ("shuffle=false", False),
        ("layers=(256, 128)", (256, 128)),
        ("mixed=3", 3),
        ("mixed=three", "three"),
    ],
)
def test_a_value_takes_the_type_of_its_parameter(assignment, value):
    (found,) = parse_settings(Model, [assignment]).values()
    assert found == value
    assert type(found) is type(value)


def test_the_last_value_of_a_key_wins():
    assert parse_settings(Model, ["dim=1", "dim=2"]) == {"dim": 2}


@pytest.mark.parametrize("assignment", ["dim=1.5", "rate=fast", "shuffle=0", "layers=(1", "dim"])
def test_a_value_of_another_type_is_refused(assignment):
    with pytest.raises(InputError, match=r"--set"):
        parse_settings(Model, [assignment])


def test_an_unknown_key_is_answered_with_the_closest():
    with pytest.raises(InputError, match=r"'windw'.*did you mean 'window'\?"):
        parse_settings(Model, ["windw=1"])
