"""Shapes of what doors are handed, validated. Whoever imports this file loads pydantic, so doors do so lazily."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from functions.problems import UNKNOWN_PARAMETER, NotValid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


FIRST_YEAR, LAST_YEAR = 1970, 2999


def in_utc(value: datetime) -> datetime:
    """Return the instant in UTC. Raises ValueError outside the years a floor can mean: UTC knows no year 0 or 10000."""
    try:
        instant = value.astimezone(UTC)
        known = FIRST_YEAR <= instant.year <= LAST_YEAR
    except OverflowError:
        known = False
    if not known:
        raise ValueError(f"the instant must lie within the years {FIRST_YEAR} to {LAST_YEAR} of UTC")
    return instant


def as_text(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Let pass what may be RFC 3339. Raises ValueError for numbers, which might count anything since any time."""
    if isinstance(value, datetime) or (isinstance(value, str) and value[4:5] == "-"):
        return value
    raise ValueError("an instant is text such as 2026-11-23T06:00:00Z")


Moment = Annotated[AwareDatetime, BeforeValidator(as_text), AfterValidator(in_utc)]


class Shape(BaseModel):
    """A shape whose validator is built when it is first needed: most processes need few of them."""

    model_config = ConfigDict(defer_build=True)


def validated[T](adapter: TypeAdapter[T], stated: Any) -> T:  # noqa: ANN401 - any JSON
    """Return what is stated as the adapter's type. Raises NotValid."""
    try:
        return adapter.validate_python(stated)
    except ValidationError as error:
        raise NotValid(error) from error


def query_as[S: Shape](shape: type[S], stated: Mapping[str, str]) -> S:
    """Read a query string. Raises NotValid naming the parameter and its valid values."""
    unknown = sorted(stated.keys() - shape.model_fields.keys())
    if unknown:  # a filter misspelt must not answer with everything
        raise NotValid(_unknown_parameters(unknown, shape))
    return validated(TypeAdapter(shape), stated)


def body_as[S: Shape](shape: type[S], stated: Any) -> S:  # noqa: ANN401 - any JSON
    """Read a body. Raises NotValid."""
    return validated(TypeAdapter(shape), stated)


def _unknown_parameters(unknown: Sequence[str], shape: type[Shape]) -> ValidationError:
    kind = PydanticCustomError(
        UNKNOWN_PARAMETER, "there is no such parameter", {"valid": sorted(shape.model_fields)}
    )
    return ValidationError.from_exception_data(
        shape.__name__, [{"type": kind, "loc": (name,), "input": None} for name in unknown]
    )
