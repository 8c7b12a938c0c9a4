"""What a loss remembers that is in no checkpoint: attributes that are neither parameters nor buffers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Generator, Tensor, nn

__all__ = ["Memory", "changed", "memory_of"]

#: Values by the dotted names of attributes.
Memory = Mapping[str, object]

# What each module has; that of training and evaluating is set by who steps it.
_OF_ALL = vars(nn.Module()).keys()


def memory_of(module: nn.Module) -> Memory:
    """What a module and those in it remember beside their ``state_dict``, as values that can be compared.

    Args:
        module: such as a loss. Objects whose contents are not known are left out.
    """
    found: dict[str, object] = {}
    for place, part in module.named_modules():
        own = {name: value for name, value in vars(part).items() if name not in _OF_ALL}
        own |= {name: part._buffers[name] for name in part._non_persistent_buffers_set}  # noqa: SLF001 - no other way
        for name, value in own.items():
            found[f"{place}.{name}" if place else name] = tuple(_plain(value))
    return found


def changed(before: Memory, now: Memory) -> list[str]:
    """The attributes whose values differ.

    Args:
        before: as :func:`memory_of` gives it.
        now: likewise.
    """
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def _plain(value: object) -> Iterator[object]:
    """A value as a flat row of what can be compared."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        yield type(value).__name__, repr(value)
    elif isinstance(value, Tensor):
        # As bytes, for numpy has no bfloat16.
        flat = value.detach().cpu().contiguous().flatten().view(torch.uint8)
        yield "tensor", str(value.dtype), tuple(value.shape), flat.numpy().tobytes()
    elif isinstance(value, np.ndarray | np.generic):
        yield "array", value.shape, value.dtype.str, value.tobytes()
    elif isinstance(value, Generator):
        yield from _plain(value.get_state())
    elif isinstance(value, np.random.Generator):
        yield from _plain(value.bit_generator.state)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield "key", repr(key)
            yield from _plain(item)
        yield "end"
    elif isinstance(value, list | tuple | set | frozenset):
        for item in sorted(value, key=repr) if isinstance(value, set | frozenset) else value:
            yield from _plain(item)
        yield "end"
