"""An HTTP exchange -> the facts `decide()` judges, with what the profile's rules state about it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from shared.domain.verdict import Decision, Reply, ReplyKind, Verdict, decide
from shared.erp.pace import wait_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from shared.erp.client import HttpReply
    from shared.mapping.conversions import Raw, Tables
    from shared.mapping.expressions import Expression
    from shared.profiles.model import Rule

    type Facts = dict[str, Any]

EXCERPT = 300  # characters of a refusal that make a useful reason
OK = range(200, 300)
BOM = b"\xef\xbb\xbf"
EXACT = json.JSONDecoder(parse_float=Decimal)


class ReplyFacts:
    """One reply as expressions see it, parsed only when somebody looks.

    `clean` cuts secrets out of its text; `result` finds the answer in the body (None: it is the body).
    """

    def __init__(
        self, http: HttpReply, clean: Callable[[str], str], result: Expression | None = None
    ) -> None:
        self.http = http
        self._clean = clean
        self._result = result
        self._facts: Facts | None = None
        self._over: tuple[Facts, Facts] | None = None  # what it was laid over last, and what that made

    def over(self, facts: Facts) -> Facts:
        """Return `facts` with this reply beside them."""
        if self._over is not None and self._over[0] is facts:
            return self._over[1]
        if self._facts is None:
            self._facts = {
                "status": self.http.status,
                "headers": header_facts(self.http.headers),
                "body": parsed(self.http.content),
            }
            self._facts["result"] = (
                self._result({"reply": self._facts}) if self._result else self._facts["body"]
            )
        scope = {**facts, "reply": self._facts}
        self._over = facts, scope
        return scope

    def excerpt(self) -> str:
        """Return the status and the beginning of what was said, in one line: cleaned before it is cut."""
        said = " ".join(self._clean(self.http.content.decode("utf-8", errors="replace")).split())[:EXCERPT]
        return f"HTTP {self.http.status}: {said}" if said else f"HTTP {self.http.status}"


def header_facts(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers by name in lower case; one that is said repeatedly has its values joined by commas."""
    facts: dict[str, str] = {}
    for name, value in headers.items():
        key, plain = name.lower(), value if value.isascii() else _as_latin1(value)
        facts[key] = f"{facts[key]}, {plain}" if key in facts else plain
    return facts


def _as_latin1(value: str) -> str:
    """Bytes that are not UTF-8 come as surrogates, which no store takes."""
    return value.encode("utf-8", "surrogateescape").decode("latin-1")


def parsed(content: bytes) -> Raw:
    """Return JSON content with every fraction a Decimal; other content as text; nothing as null."""
    if not content:
        return None
    try:
        return EXACT.decode(content.removeprefix(BOM).decode())
    except ValueError:
        return content.decode("utf-8", errors="replace")


def fitting(seen: ReplyFacts, rules: Iterable[Rule], facts: Facts, tables: Tables) -> Rule | None:
    """Return the first of `rules` that fits the reply, None where its status alone counts."""
    http = seen.http
    if http.kind is not ReplyKind.ANSWERED or http.problem or http.instead:
        return None
    for rule in rules:
        if not speaks_of(rule.status, http.status):
            continue
        if rule.when is None or rule.when.holds(seen.over(facts), tables):
            return rule
    return None


def speaks_of(stated: Sequence[int | str], status: int) -> bool:
    """Tell whether a rule that states `stated` (409, "4xx") is about `status`; one that states none is about 2xx."""
    if not stated:
        return status in OK
    return status in stated or f"{status // 100}xx" in stated


def reply_of(seen: ReplyFacts, rule: Rule | None, facts: Facts, tables: Tables, now: datetime) -> Reply:
    """Return the facts of one exchange, with what the `rule` that fits it states."""
    http = seen.http
    if http.instead is not None:
        return http.instead
    if http.kind is not ReplyKind.ANSWERED:
        return Reply(http.kind, reason=http.problem)
    if http.problem:
        return Reply(http.kind, http.status, stated=Verdict.PARK, reason=http.problem)
    wait = retry_after(http.headers.get("retry-after"), now)
    if rule is not None:
        if rule.after is not None:
            wait = wait_of(rule.after(seen.over(facts), tables), now) or wait
        return Reply(http.kind, http.status, wait, rule.verdict, rule.reason(seen.over(facts), tables))
    return Reply(http.kind, http.status, wait, reason="" if http.status in OK else seen.excerpt())


def judged(seen: ReplyFacts, rules: Iterable[Rule], facts: Facts, tables: Tables, now: datetime) -> Decision:
    """Return the decision about a reply that is no message's: a read, a log-in."""
    return decide(reply_of(seen, fitting(seen, rules, facts, tables), facts, tables, now))


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Return the delay a `Retry-After` asks for, in seconds or as an HTTP date; None = it says nothing."""
    if not value:
        return None
    if value.strip().isdigit():
        return timedelta(seconds=int(value))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(aware - now, timedelta())
