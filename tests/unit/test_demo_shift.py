"""The demo's shift and its comparison: the plan is sound, complete and repeatable; no difference goes unseen."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from demo.compare import compare, differences
from demo.facts import Act, Made, Operation, OperationMade, Order, Reached
from demo.jobs import mistyped_number
from demo.schedule import COUNTED, Twist, schedule
from demo.shift import plan
from functions.http_events import parse
from shared.domain.state import Status, fold, order_status

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
SERIAL_PART = "P-00020"
# part: unit, quantities, stations of its routing; the shape of what demo/tryton/seed.py releases
PARTS = {
    "P-00010": ("u", (50, 100, 250), ("Saw", "Lathe", "Wash")),
    "P-00011": ("u", (10, 20, 40), ("Saw", "Mill", "Mill", "Wash")),
    "P-00012": ("u", (5, 8, 12), ("Saw", "Lathe", "Mill", "Wash", "Inspection")),
    "P-00013": ("m", ("2.5", "7.5", "12.25"), ("Saw", "Mill", "Mill", "Wash")),
    SERIAL_PART: ("u", (1, 2, 3), ("Saw", "Lathe", "Wash", "Assembly", "Inspection", "Inspection")),
}


def order(number):
    part = list(PARTS)[number % len(PARTS)]
    unit, quantities, stations = PARTS[part]
    steps = tuple(Operation(str(place * 10), station, station) for place, station in enumerate(stations, 1))
    return Order(f"WO-{number + 1:05}", part, Decimal(str(quantities[number % 3])), unit, steps)


ORDERS = [order(number) for number in range(40)]


@pytest.fixture(scope="module")
def shift():
    return plan(ORDERS, NOW, SERIAL_PART)


def posts(shift):
    return [post for job in shift.jobs for post in job.posts]


def valid_events(shift):
    """What the events door makes of everything the stations send."""
    parsed = [parse([dict(event)], "tryton") for post in posts(shift) for event in post.events]
    return [event for one in parsed for event in one.events]


def test_the_same_orders_give_the_same_shift(shift):
    assert plan(ORDERS, NOW, SERIAL_PART) == shift


def test_everything_befalls_somebody():
    befallen = {twist for slot in schedule(ORDERS, SERIAL_PART) for twist in slot.twists}
    assert befallen == set(Twist)
    assert set(COUNTED) < befallen


def test_every_order_has_jobs_in_the_sequence_of_its_routing(shift):
    worked = {}
    for job in shift.jobs:
        worked.setdefault(job.order, []).append(job)
    assert set(worked) == {one.number for one in ORDERS}
    for jobs in worked.values():
        assert [job.after for job in jobs] == ["", *(job.name for job in jobs[:-1])]
        assert [job.act for job in jobs] == sorted(job.act for job in jobs)


def test_stations_work_at_the_same_time_and_each_on_one_job(shift):
    assert len({job.station for job in shift.jobs}) == 6
    for act in Act:
        assert len({job.station for job in shift.jobs if job.act is act}) > 2
    for station in {job.station for job in shift.jobs}:
        begins = [job.begins for job in shift.jobs if job.station == station]
        assert begins == sorted(set(begins))


def test_times_are_those_of_a_shift_that_has_just_ended(shift):
    times = [datetime.fromisoformat(e["time"]) for p in posts(shift) for e in p.events if "time" in e]
    assert shift.begins == min(times)
    assert max(times) < NOW
    assert timedelta(hours=4) < max(times) - min(times) < timedelta(hours=10)


def test_posts_say_truly_what_the_door_will_answer(shift):
    seen, expected, found = set(), Counter(), Counter()
    for post in posts(shift):
        expected.update(recorded=post.recorded, duplicates=post.duplicates, refused=post.refused)
        parsed = parse([dict(event) for event in post.events], "tryton")
        found["refused"] += len(parsed.faults)
        for event in parsed.events:
            found["duplicates" if event.key in seen else "recorded"] += 1
            seen.add(event.key)
    assert found == expected
    assert min(found.values()) > 2


def test_the_ledger_agrees_with_the_events_once_they_are_added_up(shift):
    """Two ways to the same figures: what the hands noted, and the project's own rules on what they said."""
    by_order = {}
    for event in valid_events(shift):
        by_order.setdefault(event.order_number, []).append(event)
    for one in ORDERS:
        made, states = shift.made[one.number], fold(by_order[one.number])
        assert sum(state.scrap for state in states.values()) == made.scrap
        assert sum(state.rework for state in states.values()) == made.rework
        last = states.get(one.operations[-1].id)
        assert (last.good if last else 0) == made.good
        times = {op: state.setup_seconds + state.run_seconds for op, state in states.items()}
        assert times == {op: mine.seconds for op, mine in made.operations.items()}
        status = order_status(states, [op.id for op in one.operations])
        assert (status is Status.COMPLETED) == (made.reached is Reached.COMPLETED)


def test_roles_are_played(shift):
    cast, made = shift.roles, shift.made
    acts = {
        number: {job.act for job in shift.jobs if job.order == number}
        for number in (cast.changed, cast.mistaken)
    }
    assert all(played == {Act.FIRST_HALF, Act.SECOND_HALF} for played in acts.values())
    assert [job.act for job in shift.jobs if job.order == cast.cancelled] == [Act.SECOND_HALF]
    assert made[cast.cancelled].reached is Reached.CANCELLED
    assert {made[number].reached for number in cast.unfinished} == {Reached.RUNNING}
    others = set(made) - {cast.cancelled, *cast.unfinished}
    assert {made[number].reached for number in others} == {Reached.COMPLETED}


def test_quantities_flow_from_station_to_station(shift):
    for one in ORDERS:
        made = shift.made[one.number]
        if made.reached is Reached.COMPLETED:
            assert one.quantity - made.scrap <= made.good <= one.quantity - made.scrap + 1
        if one.part == SERIAL_PART:
            assert len(set(made.lots)) == made.good


def test_too_few_orders_are_refused():
    with pytest.raises(ValueError, match="at least 15 released orders, there are 3"):
        plan(ORDERS[:3], NOW, SERIAL_PART)


def test_mistyped_numbers_are_no_orders():
    assert mistyped_number("WO-00010") == "WO-OOO1O"


MADE = Made(
    "WO-1", Decimal(9), Decimal(1), Decimal(1), ["L1"], Reached.COMPLETED,
    {"10": OperationMade(Decimal("60.5"), Reached.COMPLETED)},
)  # fmt: skip


def erp(work=None, rework=None, **other):
    finished = {"sequence": 10, "state": "done", "rework": False, "booked_seconds": Decimal("60.5")}
    reworked = {"sequence": 9010, "state": "done", "rework": True, "booked_seconds": Decimal(0)}
    held = {
        "state": "done",
        "good": Decimal(9),
        "scrap": Decimal(1),
        "serials": ["L1"],
        "works": [finished | (work or {}), reworked | (rework or {})],
    }
    return {"WO-1": held | other}


def test_equal_figures_are_no_difference():
    assert differences(compare({"WO-1": MADE}, erp())) == []


@pytest.mark.parametrize(
    ("held", "difference"),
    [
        ({}, "WO-1: the ERP does not have it"),
        (erp(good=Decimal(18)), "WO-1: good: floor 9, ERP 18"),
        (erp(scrap=Decimal(0)), "WO-1: scrap: floor 1, ERP 0"),
        (erp(rework={"rework": False}), "WO-1: rework: floor 1, ERP 0"),
        (erp(state="running"), "WO-1: status: floor completed, ERP running"),
        (erp(serials=["L1", "L1"]), "WO-1: serial and batch numbers: floor ['L1'], ERP ['L1', 'L1']"),
        (erp(work={"state": "running"}), "WO-1: operation 10: floor completed, ERP running"),
        (erp(work={"sequence": 20}), "WO-1: operation 10: floor completed, ERP missing"),
    ],
)
def test_every_difference_is_seen(held, difference):
    assert difference in differences(compare({"WO-1": MADE}, held))


def test_time_is_compared_by_operation_and_in_all():
    found = differences(compare({"WO-1": MADE}, erp(work={"booked_seconds": Decimal(60)})))
    assert found == [
        "WO-1: seconds: floor 60.5, ERP 60",
        "WO-1: operation 10 time: floor 60.5 s, ERP 60 s",
    ]


def test_time_booked_on_the_wrong_operation_is_a_difference():
    moved = erp(work={"booked_seconds": Decimal(0)}, rework={"booked_seconds": Decimal("60.5")})
    found = differences(compare({"WO-1": MADE}, moved))
    assert found == ["WO-1: operation 10 time: floor 60.5 s, ERP 0 s"]
