"""The promises of a layout space: legal layouts, equal after every round trip, counted right."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from rand_envs.core.arrays import Array, shown
from rand_envs.core.check_task.calls import Watched, attempt, described, is_whole, need, same
from rand_envs.core.layouts.space import Layout, LayoutSpace

NUM_LAYOUTS = 16
"""So many random layouts are tried."""
MAX_LISTED = 10_000
"""Spaces up to this size are gone through."""
MAX_WORDS = 10**7
"""The most random words of a layout, 80 MB: more is a slip."""
MAX_CHANGES = 50
"""The most changes of a sweep that are tried."""


def check_layout_space(space: LayoutSpace[Any], name: str = "the layout space") -> None:
    """Check that a layout space keeps what `LayoutSpace` promises.

    Args:
        space: any layout space.
        name: what it is called in sentences.

    Raises:
        ValueError: what fails, and what would be legal, in a sentence.
    """
    _check_attributes(space, name)
    call = Watched(space, name)
    layouts = _check_samples(space, call)
    _check_round_trips(space, layouts, f"{name}.sample")
    _check_size(space, layouts, call)
    _check_changes(space, layouts, call)
    matches = attempt(f"{name}.matches", "must compare spaces", space.matches, space)
    need(matches, f"{name}.matches must hold of the space itself, and does not")


def _check_attributes(space: Any, name: str) -> None:
    need(
        isinstance(space, LayoutSpace),
        f"{name} must be a LayoutSpace, such as Layouts(corner=Discrete(3)), got {shown(space)}",
    )
    dtype = getattr(space, "dtype", None)
    is_structured = isinstance(dtype, np.dtype) and dtype.names and not dtype.hasobject
    need(is_structured, f"{name}.dtype must be a structured dtype of numbers, got {shown(dtype)}")
    words: Any = getattr(space, "num_words", None)
    need(
        is_whole(words) and 0 <= words <= MAX_WORDS,
        f"{name}.num_words must be a whole number from 0 to {MAX_WORDS}, got {shown(words)}",
    )


def _check_samples(space: LayoutSpace[Any], call: Watched) -> Array:
    layouts: Array = call("sample", np.random.default_rng(0), NUM_LAYOUTS)
    _check_batch(space, layouts, f"{call.name}.sample", NUM_LAYOUTS)
    shape = (NUM_LAYOUTS, space.num_words)
    words = np.random.default_rng(0).integers(2**64, size=shape, dtype=np.uint64)
    together = call("from_words", words)
    _check_batch(space, together, f"{call.name}.from_words", NUM_LAYOUTS)
    alone = [call("from_words", words[i : i + 1]) for i in range(NUM_LAYOUTS)]
    need(
        same(np.concatenate(alone), together),
        f"{call.name}.from_words must make each layout of its own row of words, and made others "
        "of the rows alone than of all together",
    )
    stratified = call("sample_stratified", np.random.default_rng(0), NUM_LAYOUTS)
    _check_round_trips(space, stratified, f"{call.name}.sample_stratified")
    return layouts


def _check_batch(space: LayoutSpace[Any], layouts: Any, name: str, n: int | None) -> None:
    fits = isinstance(layouts, np.ndarray) and layouts.dtype == space.dtype and layouts.ndim == 1
    need(
        fits and (n is None or len(layouts) == n),
        f"{name} must give a structured array of shape ({'k' if n is None else n},) and type "
        f"{space.dtype}, got {described(layouts)}",
    )


def _check_round_trips(space: LayoutSpace[Any], layouts: Array, name: str) -> None:
    """Check that layouts are legal, and equal after unpack, validate, JSON and pack."""
    where = name.rpartition(".")[0]
    values = attempt(f"{where}.unpack", "must turn layouts into values", space.unpack, layouts)
    need(
        isinstance(values, list) and len(values) == len(layouts),
        f"{where}.unpack must give a list with one Layout for each of a batch",
    )
    for value in values:
        _check_value(space, value, name)
    packed = attempt(f"{where}.pack", "must take what unpack gave", space.pack, values)
    _check_batch(space, packed, f"{where}.pack", len(layouts))
    need(
        same(packed, layouts),
        f"{where}.pack must give back the layouts that unpack turned into values, and gave others",
    )


def _check_value(space: LayoutSpace[Any], value: Any, name: str) -> None:
    where = name.rpartition(".")[0]
    kind = type(value).__name__
    need(
        isinstance(value, Layout),
        f"{where}.unpack must give objects of Layout, got {shown(value)}",
    )
    hashed = attempt(f"{kind}", "must be hashable, as a frozen dataclass of tuples is", hash, value)
    legal = attempt(name, "must give legal layouts only", space.validate, value)
    need(
        legal == value,
        f"{where}.validate must leave {shown(value)} as it is, and gave {shown(legal)}",
    )
    need(hash(legal) == hashed, f"equal layouts of {kind} must have equal hashes")
    written = attempt(f"{kind}.to_json", "must give what JSON can hold", _through_json, value)
    need(
        isinstance(written, Mapping),
        f"{kind}.to_json must give a dictionary, got {shown(written)}",
    )
    read = attempt(f"{where}.validate", f"must read {shown(written)}", space.validate, written)
    need(
        read == value,
        f"{where}.validate must read {kind}.to_json() as {shown(value)}, got {shown(read)}",
    )


def _through_json(value: Layout) -> Any:
    return json.loads(json.dumps(value.to_json(), allow_nan=False))


def _check_size(space: LayoutSpace[Any], layouts: Array, call: Watched) -> None:
    size = attempt(f"{call.name}.size", "must be known or None", lambda: space.size)
    need(
        size is None or (is_whole(size) and size >= 1),
        f"{call.name}.size must be None or a whole number of at least 1, got {shown(size)}",
    )
    if size is None or size > MAX_LISTED:
        return
    listed = call("enumerate")
    _check_batch(space, listed, f"{call.name}.enumerate", None)
    _check_round_trips(space, listed, f"{call.name}.enumerate")
    values = set(space.unpack(listed))
    need(
        len(values) == len(listed),
        f"{call.name}.enumerate must list every layout once, and lists some more often",
    )
    need(
        len(listed) == size,
        f"{call.name}.size must be the number of layouts that enumerate lists, {len(listed)}, "
        f"and is {size}",
    )
    need(
        values.issuperset(space.unpack(layouts)),
        f"{call.name}.enumerate must list every layout, and lacks some that sample draws",
    )


def _check_changes(space: LayoutSpace[Any], layouts: Array, call: Watched) -> None:
    mutated = call("mutate", np.random.default_rng(1), layouts)
    _check_batch(space, mutated, f"{call.name}.mutate", len(layouts))
    _check_round_trips(space, mutated, f"{call.name}.mutate")
    kept = layouts.copy()
    variants = attempt(f"{call.name}.variants", "must not raise", space.variants, layouts)
    need(same(layouts, kept), f"{call.name}.variants must leave its arguments as they are")
    _check_batch(space, variants, f"{call.name}.variants", None)
    _check_round_trips(space, variants, f"{call.name}.variants")
    changes = attempt(
        f"{call.name}.sweep",
        "must give changes",
        lambda: list(space.sweep(np.random.default_rng(1))),
    )
    for change in changes[:MAX_CHANGES]:
        name = f"{call.name}.sweep"
        changed = attempt(name, "must give functions of a batch of layouts", change, layouts)
        need(same(layouts, kept), f"{name} must give changes that leave their argument as it is")
        _check_batch(space, changed, name, len(layouts))
        _check_round_trips(space, changed, name)
