"""Calls between the process of the program and the process of its tests, by plain data and handles."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable
from typing import Any

from llm_backend.isolation.wire import Broken, Channel, decoded, encoded

MISSING: Any = object()  # no plain value
MUTABLE = (list, dict, set, bytearray)
MESSAGE = 1000  # most characters of an exception's text


class Peer:
    """One end of the channel: it sends requests, and serves those of the other end while it waits.

    open : whether the other end may name any operation on any object of this end (the program's), or only
        call the functions that were handed to it (the tests').
    """

    def __init__(self, channel: Channel, open: bool):
        self._channel, self._open = channel, open
        self._ours: list[Any] = []  # objects that the other end knows by their place in this list
        self._places: dict[int, int] = {}
        self._theirs: dict[int, Any] = {}

    # -- values -----------------------------------------------------------------------------------------

    def encode(self, value: Any) -> Any:
        """The form of a value. Raises TypeError for an object that must not leave this end."""
        return encoded(value, self._handle, self._open)

    def decode(self, form: Any) -> Any:
        """The value of a form."""
        return decoded(form, self._object)

    def _handle(self, value: Any) -> Any:
        if type(value) is Remote:
            return ["yours", object.__getattribute__(value, "_place")]
        if isinstance(value, type) and issubclass(value, Exception) and "_place" in vars(value):
            return ["yours", vars(value)["_place"]]
        if not self._open and not callable(value):
            raise Unsendable(
                f"the tests hand a {type(value).__name__} to the program: only plain data and functions can "
                "cross between their processes"
            )
        place = self._places.setdefault(id(value), len(self._ours))
        if place == len(self._ours):
            self._ours.append(value)
        if self._open and isinstance(value, type) and issubclass(value, Exception):
            return ["error", place, self._kinds(value.__mro__[1:])]
        return ["mine", place]

    def _object(self, form: Any, plain: Any = MISSING) -> Any:
        whose, place, *kinds = form
        if type(place) is not int:
            raise Broken("not a handle")
        if whose == "yours":
            if not 0 <= place < len(self._ours):
                raise Broken("an unknown handle")
            return self._ours[place]
        if place not in self._theirs:
            self._theirs[place] = (
                Remote(self, place, plain) if whose == "mine" else self._stand_in(kinds[0], place)
            )
        return self._theirs[place]

    def _kinds(self, classes: tuple[type, ...]) -> list[Any]:
        """The classes of an exception, most special first: the names of built-in ones, handles of others."""
        return [
            base.__name__ if base.__module__ == "builtins" else self.encode(base)
            for base in classes
            if issubclass(base, BaseException)
        ]

    def _found(self, kinds: Any) -> type[Exception] | None:
        """The first class that can be raised here: none that would end a loop or a process early."""
        for kind in kinds:
            found = getattr(builtins, kind, None) if isinstance(kind, str) else self.decode(kind)
            if isinstance(found, type) and issubclass(found, BaseException):
                ends = issubclass(found, StopIteration | StopAsyncIteration)
                return found if issubclass(found, Exception) and not ends else None
        return None

    def _stand_in(self, kinds: Any, place: int) -> type[Exception]:
        """A class that stands for an exception of the other end, so that `except` can name it."""
        if not isinstance(kinds, list) or (found := self._found(kinds)) is None:
            raise Broken("not an exception")
        return type("RemoteError", (found,), {"_place": place, "__init__": _any})

    # -- requests ---------------------------------------------------------------------------------------

    def request(self, operation: str, *arguments: Any, **named: Any) -> Any:
        """The result of an operation at the other end; what it changed in `arguments` is changed here."""
        forms = [self.encode(value) for value in arguments]
        self._channel.send(["do", operation, forms, {k: self.encode(v) for k, v in named.items()}])
        return self._answer((*arguments, *named.values()))

    def _answer(self, arguments: tuple[Any, ...]) -> Any:
        while True:
            message = self._channel.receive()
            if not isinstance(message, list) or not message:
                raise Broken("not a message")
            if message[0] == "do":
                self.serve(message)
            elif message[0] == "gave" and len(message) == 3:
                _change(arguments, [self.decode(form) for form in message[2]])
                return self.decode(message[1])
            elif message[0] == "raised" and len(message) == 3:
                raise self._raised(message[1], message[2])
            else:
                raise Broken("not a message")

    def fetch(self, name: str) -> Any:
        """A global of the program."""
        self._channel.send(["name", name])
        return self._answer(())

    def give(self, value: Any) -> None:
        """Answer a `fetch`."""
        self._channel.send(["gave", self.encode(value), []])

    def serve(self, message: Any) -> None:
        """Answer one request of the other end."""
        try:
            _, operation, forms, named = message
            arguments = [self.decode(form) for form in forms]
            options = {str(k): self.decode(v) for k, v in named.items()}
            value = self._operation(operation)(*arguments, **options)
            kept = [x for x in [*arguments, *options.values()] if isinstance(x, MUTABLE)]
            answer = ["gave", self.encode(value), [self.encode(x) for x in kept]]
            self._channel.send(answer)
        except (Broken, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._channel.send(["raised", self._error(error), _text(error)])

    def _operation(self, name: str) -> Callable[..., Any]:
        if name == "call":
            return lambda function, *arguments, **named: function(*arguments, **named)
        if not self._open:
            raise Broken("the program may only call what it was given")
        if name in OPERATIONS:
            return OPERATIONS[name]
        return getattr(operator, name)

    def _error(self, error: BaseException) -> list[Any]:
        kinds = self._kinds(type(error).__mro__) if self._open else []
        return kinds or ["Exception"]

    def _raised(self, kinds: Any, text: Any) -> BaseException:
        """The exception to raise here, a RuntimeError where its own class cannot be raised."""
        if not isinstance(kinds, list) or not isinstance(text, str):
            raise Broken("not an exception")
        try:
            return (self._found(kinds) or RuntimeError)(text)
        except TypeError:  # UnicodeDecodeError and such need more than a text
            return RuntimeError(text)


def _any(self: BaseException, *arguments: Any) -> None:
    """Accept any text."""


def _text(error: BaseException) -> str:
    try:
        return str(str(error))[:MESSAGE]
    except BaseException:
        return ""


def _change(ours: tuple[Any, ...], theirs: list[Any]) -> None:
    """Give the containers that were handed over the contents that the other end left in them."""
    kept = [value for value in ours if isinstance(value, MUTABLE)]
    if len(kept) != len(theirs):
        raise Broken("other arguments")
    for value, new in zip(kept, theirs, strict=True):
        if type(value) is list or type(value) is bytearray:
            value[:] = new
        elif isinstance(value, dict | set):
            value.clear()
            value.update(new)


def _next(iterator: Any) -> list[Any]:
    for item in iterator:
        return [item]
    return []


def _awaited(coroutine: Any) -> Any:
    import asyncio

    async def wait() -> Any:
        return await coroutine

    return asyncio.run(wait())


OPERATIONS: dict[str, Callable[..., Any]] = {
    "getattr": getattr,
    "setattr": setattr,
    "delattr": delattr,
    "iter": iter,
    "next": _next,
    "len": len,
    "str": str,
    "repr": repr,
    "int": int,
    "float": float,
    "abs": abs,
    "divmod": divmod,
    "isinstance": isinstance,
    "issubclass": issubclass,
    "await": _awaited,
    "enter": lambda manager: manager.__enter__(),
    "exit": lambda manager: bool(manager.__exit__(None, None, None)),
    "reversed": reversed,
    "format": format,
}


class Remote:
    """An object of the other end. All it does happens there, except comparing.

    What decides a test is plain data: an object could say that it equals anything. So an object is compared
    by its plain value here if it has one, as a named tuple has, and cannot be compared otherwise.
    """

    __slots__ = ("_peer", "_place", "_plain")

    def __init__(self, peer: Peer, place: int, plain: Any):
        object.__setattr__(self, "_peer", peer)
        object.__setattr__(self, "_place", place)
        object.__setattr__(self, "_plain", plain)

    def __hash__(self) -> int:
        plain = _value(self)
        return hash(object.__getattribute__(self, "_place") if plain is MISSING else plain)

    def __getattr__(self, name: str) -> Any:
        return _do(self, "getattr", name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return object.__getattribute__(self, "_peer").request("call", self, *arguments, **named)

    def __iter__(self) -> Any:
        iterator = _do(self, "iter")
        if type(iterator) is not Remote:
            raise TypeError("not iterable")
        while item := _do(iterator, "next"):
            yield item[0]

    def __next__(self) -> Any:
        if item := _do(self, "next"):
            return item[0]
        raise StopIteration

    def __bool__(self) -> bool:
        return bool(_plain(_do(self, "truth"), bool))

    def __await__(self) -> Any:
        return _do(self, "await")
        yield

    def __exit__(self, *raised: Any) -> bool:
        _do(self, "exit")
        return False


def _do(remote: Any, operation: str, *arguments: Any) -> Any:
    return object.__getattribute__(remote, "_peer").request(operation, remote, *arguments)


def _plain(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"not a {kind.__name__}")
    return value


def _forward(operation: str, kind: type | None) -> Callable[..., Any]:
    def method(self: Any, *arguments: Any) -> Any:
        value = _do(self, operation, *arguments)
        return value if kind is None else _plain(value, kind)

    return method


def _backward(operation: str) -> Callable[..., Any]:
    def method(self: Any, other: Any) -> Any:
        return object.__getattribute__(self, "_peer").request(operation, other, self)

    return method


def _value(value: Any) -> Any:
    """The plain value of an object of the other end, and anything else as it is."""
    return object.__getattribute__(value, "_plain") if type(value) is Remote else value


def _comparison(operation: str) -> Callable[..., Any]:
    def method(self: Any, other: Any) -> Any:
        ours, theirs = _value(self), _value(other)
        if ours is MISSING or theirs is MISSING:
            if type(self) is type(other):
                raise Uncomparable
            raise TypeError("an object of the program is compared: only plain data is")
        return getattr(operator, operation)(ours, theirs)

    return method


class Unsendable(TypeError):
    """The tests hand the program an object that cannot cross."""


class Uncomparable(TypeError):
    """Two objects of the program were compared."""


for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Remote, f"__{_name}__", _comparison(_name))
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor", "matmul"):
    setattr(Remote, f"__{_name.strip('_')}__", _forward(_name, None))
    setattr(Remote, f"__r{_name.strip('_')}__", _backward(_name))
for _name in ("getitem", "setitem", "delitem", "neg", "pos", "invert"):
    setattr(Remote, f"__{_name}__", _forward(_name, None))
for _name in ("abs", "divmod", "setattr", "delattr", "enter", "reversed"):
    setattr(Remote, f"__{_name}__", _forward(_name, None))
_KINDS = {"len": int, "str": str, "repr": str, "int": int, "float": float, "contains": bool, "format": str}
for _name, _kind in _KINDS.items():
    setattr(Remote, f"__{_name}__", _forward(_name, _kind))
for _name in ("isinstance", "issubclass"):

    def _check(self: Any, value: Any, operation: str = _name) -> bool:
        return _plain(object.__getattribute__(self, "_peer").request(operation, value, self), bool)

    setattr(Remote, f"__{_name.replace('is', '', 1)}check__", _check)
