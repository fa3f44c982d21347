"""The JSON of an OData V4 collection, page by page, as the three services simulated here answer it.

Source: OData V4.01 Part 1, 11.2.6.7 (server-driven paging: `@odata.nextLink` is opaque and carries the rest of the
query), 11.2.6.5 ($count), 8.2.8.5 (the preference odata.maxpagesize).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from tests.simulators.odata import (
    EntityType,
    Limits,
    Query,
    QueryError,
    Row,
    after,
    chosen_rows,
    json_v4,
    paged,
    parse_query,
    shaped,
)
from tests.simulators.odata_filter import NO_LIMITS


@dataclass
class Listing:
    """How one service lists: its largest page, what its `$filter` lacks, and how its next link finds its place.

    `seek`: the next page begins behind the last row of the page before, whatever has come or gone meanwhile;
    otherwise it begins at a count of rows, and drifts when rows before it go.
    """

    page_size: int
    limits: Limits = NO_LIMITS
    seek: bool = False
    places: list[Row] = field(default_factory=list)

    def body(
        self,
        rows: list[Row],
        entity: EntityType,
        options: Mapping[str, str],
        here: str,
        *,
        prefer: str = "",
        mark: Callable[[Row], Row] = lambda _: {},
    ) -> Row:
        """Return the answer to a GET of a collection at `here`; `mark` adds annotations to each row."""
        query = parse_query(options, entity, 4, self.limits)
        chosen = chosen_rows(rows, query, entity.keys)
        start = self._start(chosen, query, entity)
        part, following = paged(chosen, query, self._size(prefer), start)
        answer: Row = {"@odata.context": here}
        if query.count:
            answer["@odata.count"] = len(chosen)
        answer["value"] = [mark(row) | json_v4(shaped(row, entity, query)) for row in part]
        if following is not None:
            answer["@odata.nextLink"] = _link(here, options, self._token(part[-1], following))
        return answer

    def _size(self, prefer: str) -> int:
        for preference in prefer.split(","):
            name, _, value = preference.strip().partition("=")
            if name.lower() in ("odata.maxpagesize", "maxpagesize") and value.isdigit() and int(value):
                return min(int(value), self.page_size)
        return self.page_size

    def _token(self, last: Row, following: int) -> str:
        if not self.seek:
            return str(following)
        self.places.append(dict(last))
        return str(len(self.places))

    def _start(self, chosen: list[Row], query: Query, entity: EntityType) -> int:
        token = query.skip_token
        if not token:
            return 0
        if not token.isdigit() or (self.seek and not 0 < int(token) <= len(self.places)):
            raise QueryError(f"The $skiptoken '{token}' is not one of this service.")
        if not self.seek:
            return int(token)
        return after(chosen, query, entity.keys, self.places[int(token) - 1])


def _link(here: str, options: Mapping[str, str], token: str) -> str:
    kept = {name: value for name, value in options.items() if name != "$skiptoken"} | {"$skiptoken": token}
    asked = "&".join(f"{quote(name, safe='$')}={quote(value)}" for name, value in kept.items())
    return f"{here}?{asked}"
