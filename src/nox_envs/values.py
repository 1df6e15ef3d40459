"""The decorator of every type: frozen, slotted, keyword-only values that are cheap to create.

It does what `dataclasses.dataclass(frozen=True, slots=True, kw_only=True)` does in a tenth of the import
time. Type checkers see dataclasses (PEP 681).
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: object):
        return lambda decorator: decorator


T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def value(cls: type[T]) -> type[T]:
    """Turn a class of annotated fields into a value: immutable, compared and hashed by its fields."""
    namespace = dict(cls.__dict__)
    names = tuple(cls.__annotations__)
    defaults = {name: namespace.pop(name) for name in names if name in namespace}
    for added in ("__dict__", "__weakref__"):
        namespace.pop(added, None)
    namespace.update(
        __slots__=names,
        __defaults__=defaults,
        # Never a single one, which attrgetter would not put into a tuple.
        __fields__=attrgetter(*names, "__class__", "__class__"),
        __init__=_lazy_init(names, defaults),
        __eq__=_equal,
        __hash__=_hash,
        __repr__=_represent,
        __setattr__=_refuse,
        __delattr__=_refuse,
    )
    return cast("type[T]", type(cls.__name__, cls.__bases__, namespace))


def _lazy_init(names: tuple[str, ...], defaults: dict[str, object]) -> object:
    """Return a constructor that compiles the real one at the first call: most classes are never created."""

    def initialize(self: object, **contents: object) -> None:
        words = (f"{name}=default_{name}" if name in defaults else name for name in names)
        parameters = f", *, {', '.join(words)}" if names else ""
        body = "".join(f"\n _set(self, {name!r}, {name})" for name in names) or " pass"
        scope = {"_set": object.__setattr__, **{f"default_{name}": one for name, one in defaults.items()}}
        exec(f"def __init__(self{parameters}):{body}", scope)
        type.__setattr__(type(self), "__init__", scope["__init__"])
        type(self).__init__(self, **contents)

    return initialize


def replace(instance: T, **changes: object) -> T:
    """Return the value with some fields changed; raises TypeError for a name that is not a field."""
    return type(instance)(**{**contents(instance), **changes})


def defaults(kind: type[object]) -> dict[str, object]:
    """Return the defaults of a value's fields, for those that have one."""
    found: dict[str, object] = kind.__defaults__  # type: ignore[attr-defined]
    return found


def contents(instance: object) -> dict[str, object]:
    """Return the fields of a value with what they hold."""
    kind = type(instance)
    return dict(zip(kind.__slots__, kind.__fields__(instance)))  # type: ignore[attr-defined]  # noqa: B905


def given(instance: object) -> dict[str, object]:
    """Return the fields of a value that do not hold their default."""
    usual = defaults(type(instance))
    return {name: one for name, one in contents(instance).items() if name not in usual or one != usual[name]}


def _fields(self: object) -> object:
    return self.__fields__(self)  # type: ignore[attr-defined]


def _equal(self: object, other: object) -> bool:
    return self is other or (type(other) is type(self) and _fields(self) == _fields(other))


def _hash(self: object) -> int:
    return hash(_fields(self))


def _represent(self: object) -> str:
    shown = ", ".join(f"{name}={one!r}" for name, one in contents(self).items())
    return f"{type(self).__name__}({shown})"


def _refuse(self: object, name: str, *_: object) -> None:
    raise AttributeError(f"{type(self).__name__} is a value: {name!r} cannot be changed")
