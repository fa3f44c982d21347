"""An HTTP exchange -> the facts `decide()` judges, with what the profile's rules state about it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared.domain.verdict import Decision, Reply, ReplyKind, decide
from shared.erp.pace import LONGEST_WAIT, wait_of
from shared.errors import MappingError

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
WEB_PAGE = re.compile(rb"\s*<(!doctype\s+html|html)\b", re.IGNORECASE)
SECONDS = re.compile(r"\d{1,9}", re.ASCII)
EXACT = json.JSONDecoder(parse_float=Decimal)


class ReplyFacts:
    """One reply as expressions see it, parsed only when somebody looks.

    `clean` cuts secrets out of its text; `result` finds the answer in the body (None: it is the body), `answers` is
    null where the body is none of the ERP's (None: any may be).
    """

    def __init__(
        self,
        http: HttpReply,
        clean: Callable[[str], str],
        result: Expression | None = None,
        answers: Expression | None = None,
    ) -> None:
        self.http = http
        self._clean = clean
        self._result = result
        self._answers = answers
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
                "body": self.body[0],
            }
            self._facts["result"] = (
                self._result({"reply": self._facts}) if self._result else self._facts["body"]
            )
        scope = {**facts, "reply": self._facts}
        self._over = facts, scope
        return scope

    @cached_property
    def body(self) -> tuple[Raw, bool]:
        """What the reply holds, and whether it is JSON (or nothing)."""
        return read(self.http.content)

    def unreadable(self) -> str:
        """Return why this is no answer of the ERP, whatever its status says; "" = it is one.

        Proxies, log-in pages and maintenance pages answer 200 as well. What they say must never be taken for
        the ERP's "done", nor for its "there is no such thing".
        """
        http = self.http
        if http.problem:
            return http.problem
        kind = http.headers.get("content-type", "")
        if "html" in kind or WEB_PAGE.match(http.content):
            return f"a web page came, no answer of the ERP ({self.excerpt()})"
        if "json" in kind and not self.body[1]:
            return f"what came is announced as JSON and is none ({self.excerpt()})"
        return ""

    def silent(self) -> str:
        """Return why this says nothing about what was read, "" = it does. 204 says "nothing" on purpose."""
        http = self.http
        if http.kind is not ReplyKind.ANSWERED or http.status != OK[0]:
            return ""
        if not http.content:
            return "the answer is empty"
        if self._answers is None or self._answers(self.over({})) is not None:
            return ""
        return f"no answer of the ERP came, but something else ({self.excerpt()})"

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
    return read(content)[0]


def read(content: bytes) -> tuple[Raw, bool]:
    """Return what `parsed` does, and whether the content is JSON or nothing."""
    if not content:
        return None, True
    try:
        return EXACT.decode(content.removeprefix(BOM).decode()), True
    except (ValueError, RecursionError):
        return content.decode("utf-8", errors="replace"), False


def fitting(seen: ReplyFacts, rules: Iterable[Rule], facts: Facts, tables: Tables) -> Rule | None:
    """Return the first of `rules` that fits the reply, None where its status alone counts.

    Raises:
        MappingError: the ERP said yes, and a rule that might say otherwise cannot be worked out.
    """
    http = seen.http
    if http.kind is not ReplyKind.ANSWERED or http.instead or http.problem:
        return None
    if http.status in OK and seen.unreadable():
        return None
    return next((rule for rule in rules if _fits(rule, seen, facts, tables)), None)


def _fits(rule: Rule, seen: ReplyFacts, facts: Facts, tables: Tables) -> bool:
    if not speaks_of(rule.status, seen.http.status):
        return False
    try:
        return rule.when is None or rule.when.holds(seen.over(facts), tables)
    except MappingError:
        if seen.http.status in OK:
            raise
        return False  # it failed in any case; the status says what that means


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
    wait = retry_after(http.headers.get("retry-after"), now)
    if http.status in OK and (unreadable := seen.unreadable()):
        return Reply(ReplyKind.AMBIGUOUS, http.status, wait, reason=unreadable)
    if rule is not None:
        wait = _wait_stated(rule, seen.over(facts), tables, now) or wait
        return Reply(http.kind, http.status, wait, rule.verdict, _reason(rule, seen, facts, tables))
    return Reply(http.kind, http.status, wait, reason="" if http.status in OK else seen.excerpt())


def _wait_stated(rule: Rule, scope: Facts, tables: Tables, now: datetime) -> timedelta | None:
    """Return the wait a rule reads from the reply; what cannot be read says nothing."""
    try:
        return wait_of(rule.after(scope, tables), now) if rule.after else None
    except MappingError:
        return None


def _reason(rule: Rule, seen: ReplyFacts, facts: Facts, tables: Tables) -> str:
    """Return a rule's reason; where the reply lacks what it wants to quote, what the reply does say."""
    try:
        return rule.reason(seen.over(facts), tables)
    except MappingError:
        return seen.excerpt()


def judged(seen: ReplyFacts, rules: Iterable[Rule], facts: Facts, tables: Tables, now: datetime) -> Decision:
    """Return the decision about a reply that is no message's: a read, a log-in."""
    return decide(reply_of(seen, fitting(seen, rules, facts, tables), facts, tables, now))


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Return the delay a `Retry-After` asks for, in seconds or as an HTTP date; None = it says nothing."""
    if not value:
        return None
    if SECONDS.fullmatch(value.strip()):
        return min(timedelta(seconds=int(value)), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(value)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return min(max(aware - now, timedelta()), LONGEST_WAIT)
    except (ValueError, OverflowError):
        return None
