"""What every list takes: how many, and where to go on."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, StringConstraints, WithJsonSchema

from shared.store.paging import read_cursor


def _reads(*kinds: type) -> Callable[[Any], Any]:
    def read(text: Any) -> Any:  # noqa: ANN401 - whatever the caller wrote
        return read_cursor(str(text), *kinds)

    return read


AS_TEXT = WithJsonSchema({"type": "string", "description": "`next` of the page before"})
OrderCursor = Annotated[tuple[str, str] | None, BeforeValidator(_reads(str, str)), AS_TEXT]
MessageCursor = Annotated[tuple[str, int] | None, BeforeValidator(_reads(str, int)), AS_TEXT]
WarningCursor = Annotated[tuple[AwareDatetime, str] | None, BeforeValidator(_reads(str, str)), AS_TEXT]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Listing(BaseModel):
    """Query of a list."""

    limit: Annotated[int, Field(ge=1, le=500)] = 50
    connection: Annotated[Name | None, Field(description="only this connection")] = None


class WhichConnection(BaseModel):
    """Two ERPs may use the same number."""

    connection: Annotated[Name | None, Field(description="needed where the number exists twice")] = None
