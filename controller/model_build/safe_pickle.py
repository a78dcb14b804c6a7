"""Read the pickle of a Keras Tokenizer without executing any of it.

A pickle is a program that may call any function. This reader implements the few instructions that
plain data needs. It builds dictionaries, lists, texts and numbers, and represents an object as the
dictionary of its attributes, if its class is one that a pickled Tokenizer contains. It imports and
calls nothing, whatever the file says; any other instruction or name is an error that names it.
`pickletools.genops` of the standard library only splits the stream into instructions.
"""

from __future__ import annotations

import io
import pickletools
from typing import Any

from controller.model_build.foreign_pickles import foreign_pickle
from controller.model_build.numpy_scalars import DTYPES, SCALARS, DType


class PickleError(ValueError):
    """The pickle contains something other than a tokenizer's data. One line."""


class ForeignPickle(PickleError):
    """The pickle of another program; the message says what it is and what to do."""


_MARK = object()
_TOKENIZER_MODULES = (
    "keras_preprocessing.text",
    "keras.preprocessing.text",
    "keras.src.preprocessing.text",
    "keras.src.legacy.preprocessing.text",
    "tf_keras.src.preprocessing.text",
    "tf_keras.preprocessing.text",
    "tensorflow.keras.preprocessing.text",
    "tensorflow.python.keras.preprocessing.text",
    "tensorflow_core.python.keras.preprocessing.text",
)
# Classes that are read as data, and the type that represents an object of each.
_CLASSES: dict[tuple[str, str], type] = {
    ("collections", "OrderedDict"): dict,
    ("collections", "defaultdict"): dict,
    **{(module, "Tokenizer"): dict for module in _TOKENIZER_MODULES},
}
# Harmless names that only appear as an argument: the factory of a defaultdict.
# Protocol 2 and below write the names of Python 2, where an int is a long.
_FACTORIES = {(module, name) for module in ("builtins", "__builtin__") for name in ("int", "long")}
_LITERALS = {
    "NONE": None,
    "NEWTRUE": True,
    "NEWFALSE": False,
}
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": set}
_NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
_BYTES = ("SHORT_BINBYTES", "BINBYTES", "BINBYTES8")
_TEXTS = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")
_OLD_TEXTS = ("STRING", "BINSTRING", "SHORT_BINSTRING")
_IGNORED = ("PROTO", "FRAME", "STOP")


class _Named:
    """A class or function that the pickle names; it is never imported."""

    def __init__(self, module: str, name: str) -> None:
        self.key = (module, name)

    def empty(self) -> Any:
        """An empty object of the class, as it is represented here.

        Raises:
            PickleError: not one of the classes that are read as data.
        """
        if self.key in _CLASSES:
            return _CLASSES[self.key]()
        raise PickleError(
            f"the pickle calls {self.key[0]}.{self.key[1]}, which is refused: write the tokenizer "
            "as JSON with open('word_index.json', 'w').write(tokenizer.to_json())"
        )


def read_pickle(raw: bytes) -> Any:
    """The data of a pickle; objects as dictionaries of their attributes.

    Raises:
        PickleError: cut off, an unknown instruction, or a class that no Tokenizer contains.
    """
    machine = _Machine()
    try:
        for opcode, argument, position in pickletools.genops(io.BytesIO(raw)):
            machine.step(opcode.name, argument, position)
        (result,) = machine.stack
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        what = foreign_pickle(raw)
        if what:
            raise ForeignPickle(what) from error
        if isinstance(error, PickleError):
            raise
        reason = " ".join(str(error).split())[:120]
        raise PickleError(f"the pickle is damaged or cut off: {reason}") from error
    return result


class _Machine:
    """Executes the instructions of plain data on a stack, as `pickle.Unpickler` does."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any, position: int | None) -> None:
        """Execute one instruction.

        Raises:
            PickleError: an instruction that plain data does not need.
        """
        stack = self.stack
        if name in _IGNORED:
            return
        if name in _LITERALS:
            stack.append(_LITERALS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _NUMBERS or name in _TEXTS or name in _BYTES:
            stack.append(argument)
        elif name in _OLD_TEXTS:
            stack.append(_text_of_python_2(argument))
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self._memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name == "POP":
            stack.pop()
        elif name == "POP_MARK":
            self._marked()
        else:
            self._build(name, argument, position)

    def _build(self, name: str, argument: Any, position: int | None) -> None:
        stack = self.stack
        if name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name in ("TUPLE", "LIST"):
            stack.append({"TUPLE": tuple, "LIST": list}[name](self._marked()))
        elif name == "DICT":
            stack.append(_paired(self._marked()))
        elif name == "APPEND":
            value = stack.pop()
            stack[-1].append(value)
        elif name == "APPENDS":
            values = self._marked()
            stack[-1].extend(values)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            stack[-1][key] = value
        elif name == "SETITEMS":
            pairs = _paired(self._marked())
            stack[-1].update(pairs)
        elif name == "GLOBAL":
            module, _, what = argument.partition(" ")
            stack.append(_Named(module, what))
        elif name == "STACK_GLOBAL":
            what, module = stack.pop(), stack.pop()
            stack.append(_Named(module, what))
        elif name in ("REDUCE", "NEWOBJ"):
            self._object(stack.pop(), stack.pop())
        elif name == "BUILD":
            state = stack.pop()
            if isinstance(stack[-1], DType):
                stack[-1].set_state(state)
                return
            if not isinstance(state, dict) or not isinstance(stack[-1], dict):
                raise PickleError(f"an object at byte {position} has no plain attributes")
            stack[-1].update(state)
        else:
            raise PickleError(f"instruction {name} at byte {position} is not plain data")

    def _object(self, arguments: Any, made_by: Any) -> None:
        if not isinstance(made_by, _Named):
            raise PickleError("it calls an object without a name")
        if made_by.key == ("copyreg", "_reconstructor") or made_by.key == (
            "copy_reg",
            "_reconstructor",
        ):
            made_by, arguments = arguments[0], ()
        if made_by.key in DTYPES:
            self.stack.append(DType(str(arguments[0])))
            return
        if made_by.key in SCALARS:
            kind, raw = arguments
            self.stack.append(kind.value(raw))
            return
        if made_by.key == ("__builtin__", "bytes") and not arguments:
            self.stack.append(b"")
            return
        if made_by.key == ("_codecs", "encode"):  # bytes in a pickle of protocol 2 and below
            self.stack.append(str(arguments[0]).encode("latin-1"))
            return
        made = made_by.empty()
        plain = [
            one for one in arguments if not (isinstance(one, _Named) and one.key in _FACTORIES)
        ]
        if len(plain) == 1 and isinstance(plain[0], (dict, list)):
            made.update(plain[0])  # OrderedDict([(word, count), ...])
        elif plain:
            raise PickleError(f"it makes a {made_by.key[1]} from a {type(plain[0]).__name__}")
        self.stack.append(made)

    def _marked(self) -> list[Any]:
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                values = self.stack[place + 1 :]
                del self.stack[place:]
                return values
        raise PickleError("a mark is missing")


def _paired(values: list[Any]) -> dict[Any, Any]:
    return dict(zip(values[::2], values[1::2], strict=True))


def _text_of_python_2(text: str) -> str:
    """A `str` of Python 2, whose bytes `pickletools` returns as Latin-1: usually UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
