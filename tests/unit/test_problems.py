"""Refusals name the field and the valid values, and are RFC 9457 problem documents."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator

from functions.http_events import parse
from functions.problems import TITLES, answer, errors_of, problem
from shared.domain.events import EventType

GOOD = {"type": "operation.started", "source": "s", "id": "1", "time": "2026-11-23T06:00:00Z", "order": "A"}


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Paint(BaseModel):
    colour: Colour = Colour.RED
    finish: Literal["matt", "gloss"] = "matt"
    litres: Annotated[Decimal, Field(gt=0)] = Decimal(1)
    tins: list[int] = []

    @field_validator("tins")
    @classmethod
    def not_thirteen(cls, tins: list[int]) -> list[int]:
        if len(tins) == 13:
            raise ValueError("thirteen is too many")
        return tins


def faults(**stated):
    with pytest.raises(ValidationError) as caught:
        Paint.model_validate(stated)
    return errors_of(caught.value)


def test_a_problem_document_has_the_members_of_the_standard():
    reply = problem(422, "no", [{"pointer": "/a", "detail": "b"}], {"Retry-After": "5"})
    assert (reply.status_code, reply.mimetype) == (422, "application/problem+json")
    assert reply.headers["Retry-After"] == "5"
    assert json.loads(reply.get_body()) == {
        "type": "about:blank",
        "title": TITLES[422],
        "status": 422,
        "detail": "no",
        "errors": [{"pointer": "/a", "detail": "b"}],
    }


@pytest.mark.parametrize("status", sorted(TITLES))
def test_every_status_has_a_title(status):
    assert json.loads(problem(status, "x").get_body())["title"]


def test_answers_lose_no_digit_and_speak_utc():
    at = datetime(2026, 11, 23, 8, tzinfo=timezone(timedelta(hours=2)))
    reply = answer({"quantity": Decimal("12345678901.123456"), "at": at.astimezone(UTC)}, 201, {"X": "y"})
    assert json.loads(reply.get_body()) == {"quantity": "12345678901.123456", "at": "2026-11-23T06:00:00Z"}
    assert (reply.status_code, reply.headers["X"]) == (201, "y")


@pytest.mark.parametrize(
    ("stated", "pointer", "valid"),
    [
        ({"colour": "blue"}, "/colour", ["red", "green"]),
        ({"finish": "satin"}, "/finish", ["matt", "gloss"]),
        ({"litres": "0"}, "/litres", None),
        ({"tins": [1, "x"]}, "/tins/1", None),
    ],
)
def test_a_fault_names_the_field_and_what_would_be_valid(stated, pointer, valid):
    (fault,) = faults(**stated)
    assert (fault["pointer"], fault.get("valid")) == (pointer, valid)
    assert fault["detail"]


def test_our_own_words_are_kept_as_they_are():
    (fault,) = faults(tins=list(range(13)))
    assert fault["detail"] == "thirteen is too many"


def test_every_fault_is_named_at_once():
    assert [fault["pointer"] for fault in faults(colour="blue", litres="x")] == ["/colour", "/litres"]


@pytest.mark.parametrize(
    ("change", "pointer", "valid"),
    [
        ({"type": "operation.exploded"}, "/type", sorted(EventType)),
        ({"type": None}, "/type", sorted(EventType)),
        ({"time": "yesterday"}, "/time", None),
        ({"time": "2026-11-23T06:00:00"}, "/time", None),
        ({"order": ""}, "/order", None),
        ({"type": "production.reported"}, "/data", None),
        ({"type": "production.reported", "data": {"good": "-1"}}, "/data/good", None),
        ({"type": "unit.completed", "data": {"outcome": "maybe"}}, "/data/outcome", ["pass", "fail"]),
        ({"type": "time.recorded", "data": {"seconds": "1", "kind": "x"}}, "/data/kind", ["setup", "run"]),
    ],
)
def test_a_bad_event_is_refused_by_the_field_the_sender_wrote(change, pointer, valid):
    parsed = parse([GOOD, GOOD | change], "main")
    assert len(parsed.events) == 1
    (fault,) = parsed.faults[1]
    assert (fault["pointer"], fault.get("valid")) == (pointer, valid)
