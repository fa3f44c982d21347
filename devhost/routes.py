"""Which function answers a path: the route templates of HTTP triggers, as pure functions.

As in the host: literals are compared without regard to case, a trailing slash does not matter, a literal
beats a constrained parameter beats a plain parameter beats a catch-all, and a wrong method is no match.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from devhost.errors import DevhostError

_INTEGER: Final = r"[+-]?[0-9]+"
_NUMBER: Final = r"[+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?"
_CONSTRAINTS: Final[Mapping[str, str]] = {
    "int": _INTEGER,
    "long": _INTEGER,
    "decimal": _NUMBER,
    "double": _NUMBER,
    "float": _NUMBER,
    "bool": r"(?i:true|false)",
    "alpha": r"[A-Za-z]+",
    "guid": r"\{?[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?",
}
_PARAMETER: Final = re.compile(r"\{(?P<rest>\**)(?P<name>\w+)(?::(?P<kind>[a-z]+))?(?P<optional>\?)?\}")

LITERAL, CONSTRAINED, PLAIN, CATCH_ALL = range(1, 5)


@dataclass(frozen=True, slots=True)
class Route[Target]:
    """One compiled template. `rank` sorts the more exact route first; no methods means every method."""

    template: str
    pattern: re.Pattern[str]
    rank: tuple[int, ...]
    methods: frozenset[str]
    target: Target


def compile_route[Target](template: str, methods: frozenset[str], target: Target) -> Route[Target]:
    """Compile one template such as `orders/{id:int}/{*rest}`.

    Raises:
        DevhostError: the template uses a constraint or a shape devhost does not know.
    """
    segments = [segment for segment in template.strip("/").split("/") if segment]
    pattern, rank = "", []
    for segment in segments:
        piece, weight = _segment(template, segment)
        pattern += piece
        rank.append(weight)
    return Route(template, re.compile(pattern), tuple(rank), methods, target)


def _segment(template: str, segment: str) -> tuple[str, int]:
    match = _PARAMETER.fullmatch(segment)
    if match is None:
        return _mixed(template, segment)
    name, kind = match["name"], match["kind"]
    if match["rest"]:
        return f"(?:/(?P<{name}>.*))?", CATCH_ALL
    value = _constraint(template, kind) if kind else "[^/]+"
    piece = f"/(?P<{name}>{value})"
    return (f"(?:{piece})?" if match["optional"] else piece), (CONSTRAINED if kind else PLAIN)


def _mixed(template: str, segment: str) -> tuple[str, int]:
    """A literal, or literal text around parameters such as `{name}.json`."""
    pieces, position = [], 0
    for match in _PARAMETER.finditer(segment):
        value = _constraint(template, match["kind"]) if match["kind"] else "[^/]+?"
        pieces += [_literal(template, segment[position : match.start()]), f"(?P<{match['name']}>{value})"]
        position = match.end()
    pieces.append(_literal(template, segment[position:]))
    return "/" + "".join(pieces), (CONSTRAINED if position else LITERAL)


def _literal(template: str, text: str) -> str:
    if "{" in text or "}" in text:
        raise DevhostError(f"the route {template!r} has a part that is not understood: {text!r}")
    return f"(?i:{re.escape(text)})" if text else ""


def _constraint(template: str, kind: str) -> str:
    if kind not in _CONSTRAINTS:
        valid = ", ".join(_CONSTRAINTS)
        raise DevhostError(f"the route {template!r} uses the constraint {kind!r}; devhost knows {valid}")
    return _CONSTRAINTS[kind]


class Router[Target]:
    """Finds the target of a method and a path."""

    def __init__(self, routes: list[Route[Target]]) -> None:
        self._literal: dict[str, list[Route[Target]]] = {}
        self._patterns = sorted(
            (route for route in routes if not _is_literal(route)), key=lambda route: route.rank
        )
        for route in filter(_is_literal, routes):
            path = "/" + route.template.strip("/").lower()
            self._literal.setdefault(path, []).append(route)

    def find(self, method: str, path: str) -> tuple[Target, dict[str, str]] | None:
        """The target and its route parameters, or None when no route has this path and method."""
        path = path.rstrip("/") or "/"
        for route in self._literal.get(path.lower(), ()):
            if not route.methods or method in route.methods:
                return route.target, {}
        return self._find_pattern(method, path)

    def _find_pattern(self, method: str, path: str) -> tuple[Target, dict[str, str]] | None:
        for route in self._patterns:
            if route.methods and method not in route.methods:
                continue
            if match := route.pattern.fullmatch(path):
                return route.target, {name: text for name, text in match.groupdict().items() if text}
        return None


def _is_literal[Target](route: Route[Target]) -> bool:
    return all(weight == LITERAL for weight in route.rank)
