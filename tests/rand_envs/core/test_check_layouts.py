from typing import Any

import numpy as np
import pytest

from rand_envs import FieldLayout, check_task
from tests.rand_envs.core.games import Hunt, Places


class WrongSize(Places):
    says = r"layout_space.size must be the number of layouts that enumerate lists, 4, and is 5"
    size = 5


class ListsTwice(Places):
    says = r"layout_space.enumerate must list every layout once"

    def enumerate(self) -> Any:
        return np.repeat(super().enumerate(), 2)


class ListsTooFew(Places):
    says = r"layout_space.enumerate must list every layout, and lacks some"
    size = 2

    def enumerate(self) -> Any:
        return super().enumerate()[:2]


class MutatesTooFar(Places):
    says = r"layout_space.mutate must give legal layouts only, and raised ValueError: place of"

    def mutate(self, rng: Any, layouts: Any) -> Any:
        mutated = layouts.copy()
        mutated["place"] += 1
        return mutated


class MutatesInPlace(Places):
    says = r"layout_space.mutate must leave its arguments as they are"

    def mutate(self, rng: Any, layouts: Any) -> Any:
        layouts["place"] = rng.integers(4, size=len(layouts))
        return layouts.copy()


class MutatesFewer(Places):
    says = r"layout_space.mutate must give a structured array of shape \(16,\)"

    def mutate(self, rng: Any, layouts: Any) -> Any:
        return layouts[:-1].copy()


class OtherChance(Places):
    says = r"layout_space.sample must be a function of its arguments alone"
    rng = np.random.default_rng(0)

    def from_words(self, words: Any) -> Any:
        return super().from_words(self.rng.integers(2**63, size=words.shape).astype(np.uint64))


class MixesWords(Places):
    says = r"layout_space.from_words must make each layout of its own row of words"

    def from_words(self, words: Any) -> Any:
        return super().from_words(words.cumsum(axis=0, dtype=np.uint64))


class SweepsTooFar(Places):
    says = r"layout_space.sweep must give legal layouts only, and raised ValueError"

    def sweep(self, rng: Any) -> Any:
        def far(layouts: Any) -> Any:
            changed = layouts.copy()
            changed["place"] = 7
            return changed

        return iter([far])


class VariesTooFar(Places):
    says = r"layout_space.variants must give legal layouts only, and raised ValueError"

    def variants(self, layouts: Any) -> Any:
        varied = layouts.copy()
        varied["place"] = -1
        return varied


class ReadsOthers(Places):
    says = r"layout_space.validate must read FieldLayout.to_json\(\) as"

    def validate(self, layout: Any) -> Any:
        return super().validate({"place": 0} if isinstance(layout, dict) else layout)


class HoldsNoJson(FieldLayout):
    def to_json(self) -> Any:
        return {"place": np.int64(dict(self.values)["place"])}


class NotHashable(FieldLayout):
    __hash__ = None  # type: ignore[assignment]


def of_kind(kind: type[FieldLayout], sentence: str) -> type[Places]:
    class Kind(Places):
        says = sentence

        def unpack(self, layouts: Any) -> Any:
            return [kind(layout.values) for layout in super().unpack(layouts)]

    return Kind


class PacksOthers(Places):
    says = r"layout_space.pack must give back the layouts that unpack turned into values"

    def pack(self, layouts: Any) -> Any:
        packed = super().pack(layouts)
        if len(packed) > 1:
            packed["place"] = 3
        return packed


class MatchesNothing(Places):
    says = r"layout_space.matches must hold of the space itself"

    def matches(self, other: Any) -> bool:
        return False


of_kind(HoldsNoJson, r"HoldsNoJson.to_json must give what JSON can hold, and raised TypeError")
of_kind(NotHashable, r"NotHashable must be hashable, .* and raised TypeError")


@pytest.mark.parametrize("space", Places.__subclasses__(), ids=lambda space: space.says)
def test_the_method_of_a_layout_space_at_fault_is_named(space: type[Places]) -> None:
    with pytest.raises(ValueError, match=space.says) as caught:  # type: ignore[attr-defined]
        check_task(type("Spoilt", (Hunt,), {"layout_space": space()}))
    assert "\n" not in str(caught.value)
