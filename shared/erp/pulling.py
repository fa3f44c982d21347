"""In: the listings a profile describes, as pages of works orders."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

from shared.domain.storable import WATERMARK, kept, units
from shared.domain.verdict import Verdict
from shared.erp.listing import Chunk, Listing
from shared.erp.port import PulledPage, ReferenceValue, RejectedRecord, Sample
from shared.erp.reply import judged
from shared.errors import ConfigurationError, ErpUnavailable, MappingError
from shared.mapping.conversions import instant, integer, rfc3339, text
from shared.mapping.expressions import FAULTS
from shared.mapping.order_in import OrderReader
from shared.profiles.model import Drifting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from shared.domain.works_order import Operation, WorksOrder
    from shared.erp.caller import Caller
    from shared.erp.client import Request
    from shared.erp.paging import Page
    from shared.mapping.conversions import Raw
    from shared.mapping.expressions import Expression
    from shared.profiles.model import Call, OperationsPull, Paging, Profile, ReferenceMap, Watermark

    type Facts = dict[str, Any]
    type Ranked = tuple[Any, str]
    type Heard = Callable[[Facts], None]

log = logging.getLogger(__name__)

INSTANT_OVERLAP = 60  # seconds: ERPs stamp rows before they commit them
SKEW = timedelta(minutes=15)  # by which an ERP's clock may be ahead of ours and still be believed
WORDS = 1000  # characters of a reason that a person still reads
UNREADABLE = (MappingError, *FAULTS)


class Puller:
    """Reads one connection's plan."""

    def __init__(self, profile: Profile, caller: Caller) -> None:
        self._pull = profile.pull
        self._caller = caller
        self._tables = caller.tables
        self._reader = OrderReader(profile.pull.orders, caller.settings, profile.codes)

    async def orders(self, since: str | None) -> AsyncIterator[PulledPage]:
        """Yield the orders released or changed since `since`, page by page."""
        orders = self._pull.orders
        marks = Marks(orders.watermark, self._caller.settings, self._reader.facts, self._caller.now)
        scope = {"since": marks.since(since)}
        steady = not isinstance(orders.paging, Drifting) or bool(orders.paging.stable)
        pages = self._pages(orders.call, orders.paging, orders.records, scope, marks.hear)
        async for records, last in pages:
            marks.see(records)
            read, rejected = await self._read(records)
            safe = last or (steady and orders.watermark is not None and orders.watermark.ascending)
            yield PulledPage(read, rejected, marks.highest if safe else None)

    async def open_numbers(self) -> AsyncIterator[Sequence[str]]:
        """Yield the numbers of all orders open in the ERP, page by page."""
        listing = self._pull.open_orders
        async for records, _last in self._pages(
            listing.call, listing.paging, listing.records, {"since": None}
        ):
            numbers = [self._stated(listing.number, record, "open orders") for record in records]
            yield [number for number in numbers if number]

    def _stated(self, value: Expression, record: Raw, what: str) -> str | None:
        """Return what has to be readable: nothing may be concluded from a list that is not."""
        try:
            return text(value(record, self._tables))
        except UNREADABLE as error:
            raise self._unavailable(f"{what}: a record cannot be read: {error}") from error

    def _unavailable(self, words: str) -> ErpUnavailable:
        return ErpUnavailable(self._in_words(words))

    def _in_words(self, said: object) -> str:
        return kept(self._caller.secrets.redacted(str(said)), WORDS)

    async def samples(self, most: int) -> list[Sample]:
        """Return up to `most` records of the first page of released orders, raw beside mapped."""
        orders, separate = self._pull.orders, self._pull.operations
        async for records, _last in self._pages(orders.call, orders.paging, orders.records, {"since": None}):
            chosen = records[:most]
            found = await self._operations(separate, chosen) if separate else None
            return [self._sample(record, found) for record in chosen]
        return []

    def _sample(self, record: Raw, found: dict[str, list[Any]] | None) -> Sample:
        try:
            return Sample(record, self._order(record, found))
        except UNREADABLE as error:
            return Sample(record, None, self._in_words(error))

    async def reference(self, kind: str) -> AsyncIterator[Sequence[ReferenceValue]]:
        """Yield what the ERP knows of `kind`, page by page; a record without a code is left out."""
        listing = next((each for name, each in self._pull.reference.items() if name == kind), None)
        if listing is None:
            valid = ", ".join(sorted(self._pull.reference)) or "(none)"
            raise ConfigurationError(f"the profile cannot list {kind!r}; it can list: {valid}")
        pages = self._pages(listing.call, listing.paging, listing.records, {"since": None})
        async for records, _last in pages:
            values = [self._reference_value(kind, listing.map, record) for record in records]
            yield [value for value in values if value.code]

    def _reference_value(self, kind: str, fields: ReferenceMap, record: Raw) -> ReferenceValue:
        try:
            facts = self._reader.facts(record)
            asked = (fields.code, fields.name, fields.unit)
            code, name, unit = (text(value(facts, self._tables)) if value else None for value in asked)
        except UNREADABLE as error:
            raise self._unavailable(f"{kind}: {error}") from error
        return ReferenceValue(kind, code or "", name or "", unit or "")

    async def _read(self, records: Sequence[Any]) -> tuple[list[WorksOrder], list[RejectedRecord]]:
        separate = self._pull.operations
        found = await self._operations(separate, records) if separate else None
        read: list[WorksOrder] = []
        rejected: list[RejectedRecord] = []
        clean = self._caller.secrets.redacted
        for record in records:
            try:
                order = self._order(record, found)
            except UNREADABLE as error:
                rejected.append(RejectedRecord(clean(self._reader.name(record)), self._in_words(error)))
            else:
                read += [order] if order else []
        return read, rejected

    def _order(self, record: Raw, found: dict[str, list[Any]] | None) -> WorksOrder | None:
        facts = self._reader.facts(record)
        state = self._reader.state(facts)
        if state is None:
            return None
        separate = self._pull.operations
        if separate is None or found is None:
            return self._reader.order(facts, state)
        theirs = found.get(text(separate.order_key(facts, self._tables)) or "", [])
        return self._reader.order(facts, state, self._mapped(separate, theirs))

    def _mapped(self, separate: OperationsPull, records: Iterable[Any]) -> list[Operation]:
        return [self._reader.operation(separate.map, record) for record in records]

    async def _operations(self, separate: OperationsPull, records: Sequence[Any]) -> dict[str, list[Any]]:
        keys = [key for key in (self._key(separate, record) for record in records) if key is not None]
        by_order: dict[str, list[Any]] = {}
        scope = {"since": None, "keys": keys}
        pages = self._pages(separate.call, separate.paging, separate.records, scope) if keys else _nothing()
        async for operations, _last in pages:
            for operation in operations:
                whose = self._stated(separate.key, operation, "operations")
                by_order.setdefault(whose or "", []).append(operation)
        return by_order

    def _key(self, separate: OperationsPull, record: Raw) -> Raw:
        """Return what the operations of `record` are asked by; None where it will be rejected in any case."""
        try:
            key = separate.order_key(record, self._tables)
            units(text(key) or "")
        except UNREADABLE:
            return None
        return key

    async def _pages(
        self, call: Call, paging: Paging, where: Expression, scope: Facts, heard: Heard | None = None
    ) -> AsyncIterator[Chunk]:
        """Yield the records of every page, and whether that was all. `heard` is told of every reply.

        Raises:
            ErpUnavailable: the ERP cannot be reached, answers with an error or answers something else.
        """
        asked = ""

        async def fetch(page: Page) -> tuple[list[Any], Facts]:
            nonlocal asked
            facts = {"settings": self._caller.settings, "page": page.facts(), **scope}
            # A link that is a query alone is about the page it stands on; others are about the ERP's base.
            link = urljoin(asked, page.url) if page.url and page.url.startswith("?") else page.url
            request = self._caller.request(call, facts, page.headers, link)
            asked = request.url
            seen = await self._seen(request, facts, refusable=page.beyond)
            if seen is None:
                return [], {**facts, "reply": NOTHING}
            if heard is not None:
                heard(seen)
            return self._records(where, seen), seen

        size = self._caller.connection.limits.page_size
        try:
            async for chunk in Listing(paging, size, fetch, self._tables).chunks():
                yield chunk
        except ErpUnavailable as error:
            raise self._unavailable(str(error)) from error
        except UNREADABLE as error:
            raise self._unavailable(f"pull: {type(error).__name__}: {error}") from error

    async def _seen(self, request: Request, facts: Facts, *, refusable: bool) -> Facts | None:
        """Return `facts` with the reply; None where a page that need not be there was refused."""
        seen = self._caller.seen(await self._caller.send(request))
        decision = judged(seen, self._caller.connection.rules, facts, self._tables, self._caller.now())
        if decision.verdict is Verdict.PARK and refusable:
            return None
        if decision.verdict is not Verdict.DONE:
            raise ErpUnavailable(f"pull: {decision.reason}")
        return seen.over(facts)

    def _records(self, where: Expression, facts: Facts) -> list[Any]:
        records = where(facts, self._tables)
        if not isinstance(records, list):
            raise ErpUnavailable(f"pull: the reply has no list at ={where.source}")
        return records


class Marks:
    """The highest watermark seen, and where the next pull begins.

    An instant that is ahead of the ERP's clock moves nothing: the next pull never begins after this one. That clock
    is what the reply's `Date` says, and ours where it says none or runs ahead of ours without measure.
    """

    def __init__(
        self,
        watermark: Watermark | None,
        settings: Facts,
        facts: Callable[[Any], Facts],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._watermark = watermark
        self._facts = facts
        self._now = now
        zone = watermark.zone if watermark else None
        self._zone = str(zone({"settings": settings})) if zone else "UTC"
        self._highest: Ranked | None = None
        self._limit = now() + self._set_back()
        self._ahead = False

    @property
    def highest(self) -> str | None:
        """The highest watermark seen so far, as text; None = none seen."""
        return self._highest[1] if self._highest else None

    def since(self, since: str | None) -> str | None:
        """Return where to read from: `since` set back by the overlap; None (everything) where it cannot be used."""
        watermark = self._watermark
        if since is None or watermark is None or watermark.kind == "text":
            return None if watermark is None else since
        try:
            if watermark.kind == "integer":
                return str(int(since) - int(watermark.overlap or 0))
            since_at = _parsed(since) - self._set_back()
            if since_at <= self._now() + SKEW:
                return rfc3339(before_clocks_went_back(since_at, self._zone))
        except UNREADABLE:
            log.warning("the watermark %r cannot be read: everything is read anew", since)
            return None
        log.warning("the watermark %s lies in the future: everything is read anew", since)
        return None

    def _set_back(self) -> timedelta:
        if self._watermark is None:
            return timedelta()
        overlap = INSTANT_OVERLAP if self._watermark.overlap is None else self._watermark.overlap
        return timedelta(seconds=overlap + self._watermark.resolution)

    def hear(self, facts: Facts) -> None:
        """Take note of the ERP's clock in a reply."""
        theirs = _clock(facts["reply"]["headers"].get("date", ""))
        now = self._now()
        self._limit = min(theirs or now, now + SKEW) + self._set_back()

    def see(self, records: Sequence[Any]) -> None:
        """Take note of the watermarks in `records`; one that cannot be read or lies in the future moves nothing."""
        for record in records:
            ranked = self._ranked(record)
            if ranked and (self._highest is None or ranked[0] > self._highest[0]) and self._is_past(ranked):
                self._highest = ranked

    def _is_past(self, ranked: Ranked) -> bool:
        if self._watermark is None or self._watermark.kind != "instant" or ranked[0] <= self._limit:
            return True
        if not self._ahead:
            self._ahead = True
            log.warning(
                "a record is stamped %s, ahead of the ERP's clock: no watermark moves there", ranked[1]
            )
        return False

    def _ranked(self, record: Raw) -> Ranked | None:
        if self._watermark is None:
            return None
        try:
            return self._rank(self._watermark.value(self._facts(record)))
        except UNREADABLE:
            return None

    def _rank(self, value: Raw) -> Ranked | None:
        kind = self._watermark.kind if self._watermark else "text"
        plain = instant(value, self._zone) if kind == "instant" else text(value)
        if not plain or units(plain) > WATERMARK:
            return None
        if kind == "integer":
            return integer(plain), plain
        return (_parsed(plain) if kind == "instant" else plain), plain


def _clock(date: str) -> datetime | None:
    """Return the instant of a `Date` header (RFC 9110, section 6.6.1), None where it is none."""
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def before_clocks_went_back(moment: datetime, zone: str) -> datetime:
    """Return `moment`, or in the hour that the clocks of `zone` tell twice, an hour sooner.

    An ERP that filters by its local time would otherwise hide what the second telling wrote before that minute.
    """
    local = moment.astimezone(ZoneInfo(zone))
    offsets = [local.replace(fold=fold).utcoffset() or timedelta() for fold in (0, 1)]
    return moment - max(offsets[0] - offsets[1], timedelta())


def _parsed(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise MappingError(f"watermark {value!r} is not an instant") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


NOTHING: Facts = {"status": 404, "headers": {}, "body": None, "result": None}
"""The reply to a page that is not there."""


async def _nothing() -> AsyncIterator[Chunk]:
    return
    yield Chunk([], last=True)  # what makes this an iterator
