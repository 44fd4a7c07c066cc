"""Immutable values with named fields.

They are dataclasses for ``fields``, ``replace`` and ``asdict`` of that module, and for type checkers, but all have the
methods of one base class. The standard library compiles six functions for each frozen dataclass, which took 25 ms
before the first container of a run was started.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: object) -> Callable[[type], type]:
        return lambda cls: cls


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class Immutable:
    """Base class of immutable values; all fields are keyword-only."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __init_subclass__(cls) -> None:
        dataclass(init=False, repr=False, eq=False)(cls)

    def __init__(self, **given: Any) -> None:
        values = self.__dict__
        for name, each in self.__dataclass_fields__.items():
            if name in given:
                values[name] = given.pop(name)
            elif each.default is not MISSING:
                values[name] = each.default
            elif each.default_factory is not MISSING:
                values[name] = each.default_factory()
            else:
                raise TypeError(f"{type(self).__name__}() lacks the argument {name}")
        if given:
            raise TypeError(f"{type(self).__name__}() has no argument {next(iter(given))}")
        self.__post_init__()

    def __post_init__(self) -> None:
        """Do nothing; subclasses may check or convert the values."""

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), *self.__dict__.values()))

    def __repr__(self) -> str:
        shown = (f"{name}={self.__dict__[name]!r}" for name, each in self.__dataclass_fields__.items() if each.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"
