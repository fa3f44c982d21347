"""From the steps a profile writes to the steps that are done: groups, finds and needs put in their places. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from shared.profiles.walk import listed, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shared.domain.message import MessageKind
    from shared.mapping.expressions import Expression, Value
    from shared.profiles.model import AnyStep, Find, ForEach, Profile, Rule, Step, Use
    from shared.profiles.walk import Path

    type Captures = tuple[Mapping[str, Expression], ...]


class Level(NamedTuple):
    """One use of a group around a step: what it is given and when it applies."""

    given: Mapping[str, Value]
    when: Expression | None


@dataclass(frozen=True, slots=True)
class Placed:
    """A step in its place.

    `name`: told apart from others of its push. `find`: resolved. `rules`: those of the uses that end with it, then
    its own. `captures`: the step's, then those of the uses that
    end with it, each seeing the ones before. `within`: the uses around it, outermost first. `back_to`: number of the
    step to go on with. `repeats`: number of the `for_each` it belongs to.
    """

    name: str
    step: Step
    find: Find | None
    rules: tuple[Rule, ...]
    captures: Captures
    within: tuple[Level, ...] = ()
    back_to: int | None = None
    repeats: int | None = None

    def captures_of_find(self) -> Captures:
        """Return what is captured from the find's reply: its own captures in place of the step's, where it has any."""
        if self.find is None or self.find.capture is None:
            return self.captures
        return (self.find.capture, *self.captures[1:])


@dataclass(frozen=True, slots=True)
class Repetition:
    """A `for_each` with the uses around it."""

    for_each: Expression
    within: tuple[Level, ...] = ()


@dataclass(frozen=True, slots=True)
class Flow:
    """Everything done for one kind of message."""

    steps: tuple[Placed, ...]
    values: tuple[Mapping[str, Value], ...]
    repetitions: tuple[Repetition, ...]


class Around(NamedTuple):
    """What surrounds a list of steps: uses, the names of their groups, what they call their steps, its place."""

    path: Path
    within: tuple[Level, ...] = ()
    groups: tuple[str, ...] = ()
    called: str = ""


def arranged(profile: Profile, kind: MessageKind) -> Flow:
    """Return what is done for `kind`.

    Raises:
        PydanticCustomError: a group, find or step that is named is not there, or needs itself.
    """
    arranging = _Arranging(profile)
    arranging.push(kind, ())
    return Flow(tuple(arranging.steps), tuple(arranging.values), tuple(arranging.repetitions))


def every_step(profile: Profile) -> Iterator[Placed]:
    """Yield every step of every push, in its place."""
    for flow in profile.flows.values():
        yield from flow.steps


class _Arranging:
    """One flow in the making."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._names: dict[str, int] = {}
        self._kinds: list[MessageKind] = []
        self.steps: list[Placed] = []
        self.values: list[Mapping[str, Value]] = []
        self.repetitions: list[Repetition] = []

    def push(self, kind: MessageKind, needed_by: tuple[MessageKind, ...]) -> None:
        """Add the steps of `kind`, those of the kinds it needs before them; each kind once."""
        if kind in needed_by:
            refuse(("push", needed_by[-1], "needs"), f"{kind} needs itself")
        push = self._profile.push.get(kind)
        if push is None or push.exempt or kind in self._kinds:
            return
        for needed in push.needs:
            self.push(needed, (*needed_by, kind))
        self._kinds.append(kind)
        self.values.append(push.values)
        self._list(push.steps, Around(("push", kind, "steps")))

    def _list(self, parts: Sequence[AnyStep], around: Around) -> None:
        begins: dict[str, int] = {}
        for number, part in enumerate(parts):
            here = around._replace(path=(*around.path, number))
            name, back_to = _name_of(part), getattr(part, "back_to", None)
            if back_to and back_to not in begins:
                problem = f"`back_to: {back_to}` names no earlier step; earlier: {', '.join(begins)}"
                refuse((*here.path, "back_to"), problem)
            if name and name in begins and _is_step(part):
                refuse((*here.path, "name"), f"two steps are called {name!r}")
            begins.setdefault(name, len(self.steps))
            self._part(part, here)
            if back_to:
                _check_loop(self.steps[begins[back_to] :], (*here.path, "back_to"))
                self.steps[-1] = replace(self.steps[-1], back_to=begins[back_to])

    def _part(self, part: AnyStep, around: Around) -> None:
        from shared.profiles.model import ForEach, Use  # noqa: PLC0415 - the model imports this module

        if isinstance(part, Use):
            self._use(part, around)
        elif isinstance(part, ForEach):
            self._for_each(part, around)
        else:
            self._step(part, around)

    def _use(self, use: Use, around: Around) -> None:
        steps = _named("group", use.use, self._profile.groups, around.path)
        if use.use in around.groups:
            refuse(around.path, f"group {use.use!r} uses itself")
        called = _called(around.called, (use.name or "") if len(steps) == 1 else f"{use.name or ''}.")
        level = Level(use.given, use.when)
        groups = (*around.groups, use.use)
        self._list(steps, Around(("groups", use.use), (*around.within, level), groups, called))
        last = self.steps[-1]
        captures = (*last.captures, use.capture) if use.capture else last.captures
        step = _looked_at(last.step, use)
        self.steps[-1] = replace(last, step=step, rules=(*use.rules, *last.rules), captures=captures)

    def _for_each(self, part: ForEach, around: Around) -> None:
        before, number = len(self.steps), len(self.repetitions)
        self.repetitions.append(Repetition(part.for_each, around.within))
        self._list(part.steps, around._replace(path=(*around.path, "steps")))
        for at in range(before, len(self.steps)):
            if self.steps[at].repeats is not None:
                refuse(around.path, "a `for_each` inside a `for_each`")
            self.steps[at] = replace(self.steps[at], repeats=number)

    def _step(self, step: Step, around: Around) -> None:
        find = step.find
        if isinstance(find, str):
            find = _named("find", find, self._profile.finds, (*around.path, "find"))
        name = self._unique(_called(around.called, step.name))
        self.steps.append(Placed(name, step, find, step.rules, (step.capture,), around.within))

    def _unique(self, name: str) -> str:
        """Return `name`, numbered from its second place on: groups may be used more than once."""
        self._names[name] = self._names.get(name, 0) + 1
        return name if self._names[name] == 1 else f"{name}.{self._names[name]}"


def _check_loop(steps: Sequence[Placed], path: Path) -> None:
    """Refuse a loop that nothing can end, or whose rounds the ERP would take for repetitions of one another."""
    asked = [
        when for placed in steps for when in (placed.step.when, *(level.when for level in placed.within))
    ]
    if not any(when is not None and "captured" in when.roots for when in asked):
        refuse(path, "nothing ends this loop: one of its steps needs a `when` that reads what was `captured`")
    if any(placed.step.idempotency_header for placed in steps):
        refuse(
            path, "an `idempotency_header` is the same in every round, so the ERP would take only the first"
        )


def _looked_at(step: Step, use: Use) -> Step:
    """Return the last step of a group with what its use compares besides."""
    if not use.compare and use.read_back is None:
        return step
    looks = {"compare": {**step.compare, **use.compare}, "read_back": use.read_back or step.read_back}
    return step.model_copy(update=looks)


def _called(around: str, name: str) -> str:
    """Return what a step or use is called inside uses called `around`: `x.` goes before its name, `x` is its name."""
    name = name.removeprefix(".")
    if around.endswith("."):
        return f"{around}{name}"
    return around or name


def _name_of(part: AnyStep) -> str:
    return getattr(part, "name", None) or getattr(part, "use", None) or ""


def _is_step(part: AnyStep) -> bool:
    return hasattr(part, "call")


def _named[T](what: str, name: str, known: Mapping[str, T], path: Path) -> T:
    if name not in known:
        refuse(path, f"no {what} is called {name!r}; valid: {listed(known)}")
    return known[name]
