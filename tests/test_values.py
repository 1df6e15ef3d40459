"""Values: what every type of the product is made of."""

from __future__ import annotations

import pytest

from nox_envs.values import fields, replace, value


@value
class Fruit:
    """Something to eat."""

    name: str
    weight: int = 1


@value
class Stone:
    """Something else with a field of a fruit."""

    name: str


def test_fields_are_given_by_keyword_and_have_defaults() -> None:
    fruit = Fruit(name="apple")
    assert (fruit.name, fruit.weight, fields(fruit)) == ("apple", 1, ("name", "weight"))
    assert repr(fruit) == "Fruit(name='apple', weight=1)"
    with pytest.raises(TypeError):
        Fruit("apple")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Fruit(weight=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Fruit(name="apple", colour="red")  # type: ignore[call-arg]


def test_values_are_equal_by_type_and_fields() -> None:
    fruit = Fruit(name="apple")
    assert fruit == Fruit(name="apple", weight=1)
    others: list[object] = [Fruit(name="apple", weight=2), Stone(name="apple"), "apple", None]
    assert fruit not in others
    assert len({fruit, Fruit(name="apple"), Fruit(name="pear")}) == 2


def test_a_value_cannot_be_changed_but_replaced() -> None:
    fruit = Fruit(name="apple")
    with pytest.raises(AttributeError, match="'name' cannot be changed"):
        fruit.name = "pear"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del fruit.name
    assert not hasattr(fruit, "__dict__")
    assert replace(fruit, weight=3) == Fruit(name="apple", weight=3)
    assert fruit.weight == 1
    with pytest.raises(TypeError):
        replace(fruit, colour="red")
