"""In: the listings a profile describes, as pages of works orders."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from shared.domain.verdict import Verdict
from shared.erp.listing import Chunk, Listing
from shared.erp.port import PulledPage, ReferenceValue, RejectedRecord, Sample
from shared.erp.reply import judged
from shared.errors import ConfigurationError, ErpUnavailable, MappingError
from shared.mapping.conversions import instant, integer, rfc3339, text
from shared.mapping.order_in import OrderReader
from shared.profiles.model import Drifting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from shared.domain.works_order import Operation, WorksOrder
    from shared.erp.caller import Caller
    from shared.erp.paging import Page
    from shared.mapping.conversions import Raw
    from shared.mapping.expressions import Expression
    from shared.profiles.model import Call, OperationsPull, Paging, Profile, ReferenceMap, Watermark

    type Facts = dict[str, Any]
    type Ranked = tuple[Any, str]


INSTANT_OVERLAP = 60  # seconds: ERPs stamp rows before they commit them


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
        marks = Marks(orders.watermark, self._caller.settings, self._reader.facts)
        scope = {"since": marks.since(since)}
        steady = not isinstance(orders.paging, Drifting) or bool(orders.paging.stable)
        async for records, last in self._pages(orders.call, orders.paging, orders.records, scope):
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
            numbers = (text(listing.number(record, self._tables)) for record in records)
            yield [number for number in numbers if number]

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
        except MappingError as error:
            return Sample(record, None, self._caller.secrets.redacted(str(error)))

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
        except MappingError as error:
            raise ErpUnavailable(f"{kind}: {error}") from error
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
            except MappingError as error:
                rejected.append(RejectedRecord(clean(self._reader.name(record)), clean(str(error))))
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
        keys = [separate.order_key(record, self._tables) for record in records]
        by_order: dict[str, list[Any]] = {}
        scope = {"since": None, "keys": keys}
        pages = self._pages(separate.call, separate.paging, separate.records, scope) if keys else _nothing()
        async for operations, _last in pages:
            for operation in operations:
                by_order.setdefault(text(separate.key(operation, self._tables)) or "", []).append(operation)
        return by_order

    async def _pages(
        self, call: Call, paging: Paging, where: Expression, scope: Facts
    ) -> AsyncIterator[Chunk]:
        """Yield the records of every page, and whether that was all.

        Raises:
            ErpUnavailable: the ERP cannot be reached, answers with an error or answers something else.
        """

        async def fetch(page: Page) -> tuple[list[Any], Facts]:
            facts = await self._fetch(call, page, scope)
            return self._records(where, facts), facts

        size = self._caller.connection.limits.page_size
        async for chunk in Listing(paging, size, fetch, self._tables).chunks():
            yield chunk

    async def _fetch(self, call: Call, page: Page, scope: Facts) -> Facts:
        facts = {"settings": self._caller.settings, "page": page.facts(), **scope}
        try:
            request = self._caller.request(call, facts, page.headers, page.url)
            seen = self._caller.seen(await self._caller.send(request))
            decision = judged(seen, self._caller.connection.rules, facts, self._tables, self._caller.now())
        except MappingError as error:
            raise ErpUnavailable(f"pull: {error}") from error
        if decision.verdict is not Verdict.DONE:
            raise ErpUnavailable(self._caller.secrets.redacted(f"pull: {decision.reason}"))
        return seen.over(facts)

    def _records(self, where: Expression, facts: Facts) -> list[Any]:
        try:
            records = where(facts, self._tables)
        except MappingError as error:
            raise ErpUnavailable(f"pull: {error}") from error
        if not isinstance(records, list):
            raise ErpUnavailable(f"pull: the reply has no list at ={where.source}")
        return records


class Marks:
    """The highest watermark seen, and where the next pull begins."""

    def __init__(self, watermark: Watermark | None, settings: Facts, facts: Callable[[Any], Facts]) -> None:
        self._watermark = watermark
        self._facts = facts
        zone = watermark.zone if watermark else None
        self._zone = str(zone({"settings": settings})) if zone else "UTC"
        self._highest: Ranked | None = None

    @property
    def highest(self) -> str | None:
        """The highest watermark seen so far, as text; None = none seen."""
        return self._highest[1] if self._highest else None

    def since(self, since: str | None) -> str | None:
        """Return where to read from: `since` set back by the overlap."""
        watermark = self._watermark
        if since is None or watermark is None or watermark.kind == "text":
            return None if watermark is None else since
        if watermark.kind == "integer":
            return str(int(since) - int(watermark.overlap or 0))
        overlap = INSTANT_OVERLAP if watermark.overlap is None else watermark.overlap
        since_at = _parsed(since) - timedelta(seconds=overlap + watermark.resolution)
        return rfc3339(before_clocks_went_back(since_at, self._zone))

    def see(self, records: Sequence[Any]) -> None:
        """Take note of the watermarks in `records`; one that cannot be read moves nothing."""
        for record in records:
            ranked = self._ranked(record)
            if ranked and (self._highest is None or ranked[0] > self._highest[0]):
                self._highest = ranked

    def _ranked(self, record: Raw) -> Ranked | None:
        if self._watermark is None:
            return None
        try:
            return self._rank(self._watermark.value(self._facts(record)))
        except MappingError:
            return None

    def _rank(self, value: Raw) -> Ranked | None:
        kind = self._watermark.kind if self._watermark else "text"
        plain = instant(value, self._zone) if kind == "instant" else text(value)
        if not plain:
            return None
        if kind == "integer":
            return integer(plain), plain
        return (_parsed(plain) if kind == "instant" else plain), plain


def before_clocks_went_back(moment: datetime, zone: str) -> datetime:
    """Return `moment`, or in the hour that the clocks of `zone` tell twice, an hour sooner.

    An ERP that filters by its local time would otherwise hide what the second telling wrote before that minute.
    """
    local = moment.astimezone(ZoneInfo(zone))
    offsets = [local.replace(fold=fold).utcoffset() or timedelta() for fold in (0, 1)]
    return moment - max(offsets[0] - offsets[1], timedelta())


def _parsed(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise MappingError(f"watermark {value!r} is not an instant") from None


async def _nothing() -> AsyncIterator[Chunk]:
    return
    yield Chunk([], last=True)  # what makes this an iterator
