"""Values: what every type of the product is made of."""

from __future__ import annotations

import copy
import pickle

import pytest

from nox_envs.values import fields, replace, value


@value
class Fruit:
    """Be a fruit."""

    name: str
    weight: int = 1

    @property
    def shout(self) -> str:
        """Return the name in capitals."""
        return self.name.upper()


@value
class Stone:
    """Have the fields of a fruit without being one."""

    name: str
    weight: int = 1


@value
class Nothing:
    """Have no fields."""


def test_fields_are_given_by_keyword_and_have_defaults() -> None:
    fruit = Fruit(name="apple")
    assert (fruit.name, fruit.weight, fruit.shout) == ("apple", 1, "APPLE")
    assert fields(fruit) == ("name", "weight")
    with pytest.raises(TypeError):
        Fruit("apple")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Fruit(weight=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Fruit(name="apple", colour="red")  # type: ignore[call-arg]


def test_values_are_equal_by_type_and_fields() -> None:
    assert Fruit(name="apple") == Fruit(name="apple", weight=1)
    assert Fruit(name="apple") != Fruit(name="apple", weight=2)
    others: list[object] = [Stone(name="apple"), "apple", None]
    assert Fruit(name="apple") not in others
    assert len({Fruit(name="apple"), Fruit(name="apple"), Fruit(name="pear")}) == 2
    assert Nothing() == Nothing()


def test_a_value_cannot_be_changed() -> None:
    fruit = Fruit(name="apple")
    with pytest.raises(AttributeError, match="'name' cannot be changed"):
        fruit.name = "pear"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        fruit.other = 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        del fruit.name
    assert not hasattr(fruit, "__dict__")


def test_a_changed_copy_leaves_the_original() -> None:
    fruit = Fruit(name="apple")
    assert replace(fruit, weight=3) == Fruit(name="apple", weight=3)
    assert fruit.weight == 1
    with pytest.raises(TypeError):
        replace(fruit, colour="red")


def test_a_value_shows_its_fields_and_survives_copies() -> None:
    fruit = Fruit(name="apple")
    assert repr(fruit) == "Fruit(name='apple', weight=1)"
    assert copy.deepcopy(fruit) == pickle.loads(pickle.dumps(fruit)) == fruit
