"""What has been captured, and which values are known, where a push reads them: what comes later is not there yet."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from shared.profiles.walk import listed, mappings_in, reads_in, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from shared.mapping.conversions import Raw
    from shared.profiles.flow import Captures, Flow, Placed
    from shared.profiles.model import Profile, Push

CAPTURED, VALUES, ITEM = "captured", "values", "item"
SHARED = frozenset({"groups", "finds"})
UNKNOWN = {
    CAPTURED: "no step can have captured {field!r} before this; captured by then: {known}",
    VALUES: "no push that comes here has worked out {field!r} before; known by then: {known}",
}


def check_sequence(profile: Profile) -> None:
    """Refuse what is read before anything can have captured it or worked it out, in every push that comes there.

    What a group or find reads and can do without need not be there in a push of now: it is refused only where nothing
    in the profile is called so.

    Raises:
        PydanticCustomError: naming the key path and what is known there.
    """
    seen = _Seen()
    for kind, flow in profile.flows.items():
        seen.refusals(profile.push[kind], flow)
        seen.values(flow)
        seen.steps(flow)
    named = _named(profile)
    for path, reads in reads_in(profile):
        known = seen.known.get(id(reads))
        if known is None:  # in a group or find that nothing uses
            continue
        spared = reads.doubted if path[0] in SHARED else frozenset()
        for fact, field in sorted(reads.fields):
            there = known[fact] | (named[fact] if (fact, field) in spared else set())
            if fact in UNKNOWN and field and field not in there:
                refuse(path, UNKNOWN[fact].format(field=field, known=listed(there)))
        if ITEM in reads.roots and not known[ITEM]:
            refuse(path, f"{ITEM!r} is known inside `for_each` only")


def _named(profile: Profile) -> dict[str, set[str]]:
    """Return the names of all that is captured or worked out anywhere in `profile`."""
    named: dict[str, set[str]] = defaultdict(set)
    for path, mapping in mappings_in(profile):
        if path[0] != "connection" and path[-1] == "capture":
            named[CAPTURED] |= set(mapping)
        elif path[0] == "push" and path[-1] == "values":
            named[VALUES] |= set(mapping)
    return named


class _Seen:
    """What is known at each expression, by the identity of what it reads, whichever push comes there."""

    def __init__(self) -> None:
        self.known: dict[int, dict[str, set[str]]] = {}

    def _note(self, part: Raw, captured: Iterable[str], values: Iterable[str], *, item: bool) -> None:
        for _, reads in reads_in(part):
            known = self.known.setdefault(id(reads), defaultdict(set))
            known[CAPTURED].update(captured)
            known[VALUES].update(values)
            known[ITEM].update({ITEM} if item else ())

    def refusals(self, push: Push, flow: Flow) -> None:
        """Note what is known before the first call, when values have been worked out."""
        self._note(push.refuse, (), names_of(flow.values), item=False)

    def values(self, flow: Flow) -> None:
        """Note that each value sees those before it."""
        known: set[str] = set()
        for part in flow.values:
            for name, value in part.items():
                self._note(value, (), known, item=False)
                known.add(name)

    def steps(self, flow: Flow) -> None:
        """Note what each list of repetitions and each step of `flow` sees."""
        values = names_of(flow.values)
        for repetition in flow.repetitions:
            self._note(repetition.for_each, (), values, item=False)
        for placed, earlier in before_each(flow.steps):
            item = placed.repeats is not None
            own = earlier | captured_by(placed)
            again = placed.step.verified == "find" or placed.step.read_back is not None
            for part in _sent(placed):
                self._note(part, own if again else earlier, values, item=item)
            self._note(placed.step.read_back, own, values, item=item)
            for captures in (placed.captures, placed.captures_of_find()):
                self._captures(captures, own if again else earlier, values, item=item)

    def _captures(self, captures: Captures, earlier: set[str], values: set[str], *, item: bool) -> None:
        known = set(earlier)
        for capture in captures:
            self._note(capture, known, values, item=item)
            known |= set(capture)


def _sent(placed: Placed) -> Iterator[Raw]:
    """Yield the parts of a step that are worked out before it has captured anything."""
    step, find = placed.step, placed.find
    yield from (step.when, step.call, step.verified, step.compare, placed.rules)
    yield from (find.call, find.found) if find else ()
    for level in placed.within:
        yield from (level.when, level.given)


def before_each(steps: Sequence[Placed]) -> Iterator[tuple[Placed, set[str]]]:
    """Yield each step with all that can have been captured before it, loops and repetitions included."""
    loops = loops_of(steps)
    for number, placed in enumerate(steps):
        done = max([number - 1, *(last for first, last in loops if first <= number <= last)])
        yield placed, set().union(*(captured_by(earlier) for earlier in steps[: done + 1]))


def loops_of(steps: Sequence[Placed]) -> list[tuple[int, int]]:
    """Return the first and last number of steps that may be done more than once; no two have a step in common."""
    spans = [(placed.back_to, number) for number, placed in enumerate(steps) if placed.back_to is not None]
    for repetition in {placed.repeats for placed in steps} - {None}:
        numbers = [number for number, placed in enumerate(steps) if placed.repeats == repetition]
        spans.append((numbers[0], numbers[-1]))
    loops: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if loops and first <= loops[-1][1]:
            loops[-1] = (loops[-1][0], max(last, loops[-1][1]))
        else:
            loops.append((first, last))
    return loops


def captured_by(placed: Placed) -> set[str]:
    """Return the names of all that the step, or the look at its effect, captures."""
    return names_of(placed.captures) | names_of(placed.captures_of_find())


def names_of(parts: Iterable[Mapping[str, Raw]]) -> set[str]:
    """Return the names in all of `parts`."""
    return {name for part in parts for name in part}
