"""What is worked out when it is first looked at, and kept: as functools.cached_property, whose lock costs more than most rules (Python 3.11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


class lazy(Generic[Value]):
    """An attribute worked out at first use, and then the object's own. Not for several threads."""

    def __init__(self, work: Callable[[Any], Value]) -> None:
        self._work = work
        self._name = work.__name__
        self.__doc__ = work.__doc__

    @overload
    def __get__(self, object: None, owner: type) -> lazy[Value]: ...
    @overload
    def __get__(self, object: Any, owner: type) -> Value: ...
    def __get__(self, object: Any, owner: type) -> Value | lazy[Value]:
        if object is None:
            return self
        value = object.__dict__[self._name] = self._work(object)
        return value
