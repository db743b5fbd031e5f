"""A value that is worked out when it is first asked for, and then kept as a plain attribute."""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 - a decorator
    """Like `functools.cached_property`, without the lock that the latter takes for each object up to Python 3.11.

    Two threads that ask at the same time may both work it out, so it is for what comes out the same each time.

    >>> class Square:
    ...     @once
    ...     def area(self) -> int:
    ...         return 3 * 3
    >>> square = Square()
    >>> square.area, square.__dict__
    (9, {'area': 9})
    """

    def __init__(self, work: Callable[[Any], T]) -> None:
        self._work, self.__doc__ = work, work.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, of: None, owner: type) -> Self: ...

    @overload
    def __get__(self, of: object, owner: type) -> T: ...

    def __get__(self, of: object | None, owner: type) -> Self | T:
        """The value, kept from now on."""
        if of is None:
            return self
        value = of.__dict__[self._name] = self._work(of)
        return value
