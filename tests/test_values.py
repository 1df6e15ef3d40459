"""Values: what every type of the product is made of, and how they are written as JSON and read back."""

from __future__ import annotations

import json
from typing import Literal

import pytest

from nox_envs.codec import decode
from nox_envs.errors import Invalid
from nox_envs.values import contents, given, replace, value


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
    assert contents(fruit) == {"name": fruit.name, "weight": fruit.weight} == {"name": "apple", "weight": 1}
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


@value
class Basket:
    """Something that holds fruits."""

    colour: Literal["red", "green"]
    fruits: tuple[Fruit, ...] = ()
    label: tuple[str, int] | bool | None = None


BASKET = Basket(colour="red", fruits=(Fruit(name="apple"), Fruit(name="pear", weight=-2)), label=("a", 1))


@pytest.mark.parametrize("basket", [BASKET, replace(BASKET, label=True), Basket(colour="green")])
def test_what_is_written_as_json_is_read_back(basket: Basket) -> None:
    assert decode(Basket, json.loads(json.dumps(basket, default=given))) == basket


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({}, "colour: expected a string, found nothing"),
        ({"colour": "blue"}, "colour: 'blue' is not one of red, green"),
        ({"colour": "red", "fruits": [{"name": "fig"}, []]}, "fruits[1]: expected a table, found list"),
        ({"colour": "red", "fruits": [{"name": 1.5}]}, "fruits[0].name: expected a string, found 1.5"),
        ({"colour": "red", "fruits": "y" * 999}, f'fruits: expected a list, found "{"y" * 56}...'),
        ({"colour": "red", "label": ["a"]}, "label: expected a list of 2, found list"),
        (
            {"colour": "red", "fruits": [{"name": "", "weight": True}]},
            "weight: expected an integer, found true",
        ),
    ],
)
def test_json_of_the_wrong_form_is_told_with_its_path(content: object, told: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode(Basket, content)
    assert str(caught.value).endswith(told)
