"""The scenarios that every ERP profile passes: Tryton for real, the others on simulators made from vendors' specs.

What an ERP has no place for is read from its checklist: `done` is checked figure by figure, `exempt` must be empty
in the ERP's books, `unproven` is skipped with its note.
"""

import re
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest

from shared.domain.message import MessageKind, Progress
from shared.domain.verdict import Verdict
from shared.domain.works_order import ErpState
from shared.errors import ErpUnavailable
from tests.profiles.floor import AWAY, EXPIRED, GATEWAY, LOSSY, NO_FAULT, THROTTLED, shown
from tests.profiles.plant import Plant
from tests.profiles.shift import (
    COMPLETED,
    PAUSED,
    REPORTED,
    RESUMED,
    RUN,
    STARTED,
    TIMED,
    complete_one,
    differences,
    tell,
    whole_shift,
    work,
)

FAULTS = {
    LOSSY: "find.every_step",
    "drop_before_effect": "find.every_step",
    "drop_after_effect": "find.every_step",
    GATEWAY: "find.every_step",
    EXPIRED: "reply.expired_credentials",
    THROTTLED: "reply.rate_limit",
    AWAY: "reply.unreachable",
}
LITTLE_PATIENCE, WITH_REAL_ERPS = 0.2, 0.6  # seconds


# -- pull -----------------------------------------------------------------------------------------------------------


async def test_released_orders_are_pulled_once(plant):
    assert plant.proves("pull.released_orders")
    released = dict(plant.release() for _ in range(3))
    orders = await pulled_once(plant)
    for number, planned in released.items():
        order = orders[number]
        assert (order.part, order.quantity, order.unit) == (planned.part, planned.quantity, planned.unit)
        assert order.erp_state is ErpState.RELEASED
        routing = [(one.operation_id, one.name, one.work_centre) for one in order.operations]
        expected = [(one.ident, one.name, one.work_centre) for one in planned.operations]
        assert routing == (expected if plant.checklist.is_done("pull.operations") else [])
        positions = [one.position for one in order.operations]
        assert positions == sorted(set(positions))


async def pulled_once(plant):
    """Pull everything; nothing comes twice."""
    numbers = [order.number async for page in plant.erp.pull(None) for order in page.orders]
    assert len(numbers) == len(set(numbers))
    return (await plant.pull())[0]


async def test_what_is_not_released_stays_away(plant):
    proven = plant.proves("pull.not_released")
    assert proven, "an order nobody has released is never worked on: this cannot be exempt"
    assert plant.subject.enter, "the subject says how to `enter` an order without releasing it"
    entered = plant.subject.enter(plant.simulator, plant.subject.order)
    number, _ = plant.release()
    orders, _ = await plant.pull()
    assert number in orders
    assert entered not in orders
    assert entered not in await plant.open_numbers()


async def test_standard_times_come_with_the_routing(plant):
    done = plant.proves("pull.standard_times")
    number, planned = plant.release()
    orders, _ = await plant.pull()
    times = [(one.setup_seconds, one.run_seconds) for one in orders[number].operations]
    expected = [(one.setup_seconds, one.run_seconds) for one in planned.operations]
    assert times == (expected if done else [(None, None)] * len(expected))


PAGE, PAGE_OF_SHARED = 2, 9
DRIFTS = ("release", "change", "cancel")


@pytest.mark.parametrize("drift", DRIFTS)
async def test_nothing_is_missed_while_pages_drift(subject, shared_simulators, drift):
    make = subject.small_pages or subject.simulator
    if subject.shared:
        await drifting(Plant(subject, shared_simulators(subject)), drift)
        return
    with make() as simulator:
        await drifting(Plant(subject, simulator), drift)


async def drifting(plant, drift):
    assert plant.proves("pull.paging")
    first, _ = plant.release()
    for _ in range(0 if plant.subject.shared else 4):
        plant.release()
    known, _ = await plant.pull()
    erp, pages, drifted = plant.connect(page_size=PAGE_OF_SHARED if plant.subject.shared else PAGE), [], None
    async for page in erp.pull(None):
        pages.append(page)
        drifted = drifted or _drift(plant, drift, first)
    assert len(pages) > 1, "the listing has one page only: nothing can drift"
    seen = [order for page in pages for order in page.orders]
    counted = Counter(order.number for order in seen)
    once = set(known) - (set() if drift == "release" else {first})
    assert {number: counted[number] for number in once} == dict.fromkeys(once, 1)
    await check_resumed(plant, erp, pages[0], once)
    later, _ = await plant.pull(pages[-1].watermark, erp)
    _check_drifted(plant, drift, {order.number: order for order in seen} | later, first, drifted)
    await plant.close()


async def check_resumed(plant, erp, page, numbers):
    """Whoever dies after the first page and kept its watermark goes on from there: the others must still come."""
    if page.watermark:
        rest, _ = await plant.pull(page.watermark, erp)
        assert numbers <= {order.number for order in page.orders} | set(rest)


def _drift(plant, drift, first):
    """Let the planner act between two pages; returns the number of the order that is new, changed or gone."""
    if drift == "release":
        return plant.simulator.release(plant.subject.order)
    if drift == "change":
        return plant.simulator.change_quantity(first, plant.subject.order.quantity + 5) or first
    plant.simulator.cancel(first)
    return first


def _check_drifted(plant, drift, orders, first, drifted):
    if drift == "release":
        assert orders[drifted].erp_state is ErpState.RELEASED
    elif drift == "change" and plant.checklist.is_done("pull.changed_since"):
        assert orders[drifted].quantity == plant.subject.order.quantity + 5
    elif drift == "cancel" and plant.checklist.is_done("pull.cancelled"):
        assert orders[first].erp_state is not ErpState.RELEASED


async def test_a_planners_change_comes_with_the_next_pull(plant):
    assert plant.proves("pull.changed_since")
    (number, planned), (untouched, _) = plant.release(), plant.release()
    before, watermark = await plant.pull()
    assert before[number].quantity == planned.quantity
    changed = plant.simulator.change_quantity(number, planned.quantity + 5) or number
    later, _ = await plant.pull(watermark)
    assert later[changed].quantity == planned.quantity + 5
    assert later[changed].part == planned.part
    assert untouched in before


async def test_a_cancellation_comes_with_the_next_pull(plant):
    done = plant.proves("pull.cancelled")
    number, _ = plant.release()
    _, watermark = await plant.pull()
    plant.simulator.cancel(number)
    later, _ = await plant.pull(watermark)
    assert (
        number not in (await plant.pull())[0]
        or (await plant.pull())[0][number].erp_state is not ErpState.RELEASED
    )
    if done:
        assert later[number].erp_state is ErpState.CANCELLED
    else:
        assert number not in later


async def test_what_is_gone_is_missing_from_the_open_orders(plant):
    assert plant.proves("pull.deleted")
    (gone, _), (kept, _) = plant.release(), plant.release()
    assert {gone, kept} <= set(await plant.open_numbers())
    plant.simulator.cancel(gone)
    numbers = await plant.open_numbers()
    assert kept in numbers
    assert gone not in numbers
    assert len(numbers) == len(set(numbers))


# -- the shift ------------------------------------------------------------------------------------------------------


async def test_a_whole_shift_is_booked_as_told(plant):
    order = await plant.released()
    floor = await shift_under(order, plant, NO_FAULT)
    assert differences(floor, plant.booked(order.number)) == []


async def shift_under(order, plant, fault):
    """Work off `order`; returns the floor that has done it."""
    floor = plant.floor(order, fault)
    await whole_shift(floor)
    assert plant.simulator.overlaps == 0
    return floor


POSTINGS = {}  # of a shift in which nothing goes wrong, by what makes the simulator and the length of the routing


@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_goes_wrong_every_effect_is_there_once(plant, fault):
    if not plant.proves(FAULTS[fault]):
        return  # exempt is only what cannot happen: credentials that never expire
    order = await plant.released()
    floor = await shift_under(order, plant, fault)
    assert floor.hits or fault == EXPIRED
    booked = plant.booked(order.number)
    assert differences(floor, booked) == []
    assert booked.postings == await postings_without_faults(plant, len(order.operations))


async def postings_without_faults(plant, operations):
    """Return how many postings a shift on so many operations makes when nothing goes wrong."""
    key = plant.subject.simulator, operations
    while key not in POSTINGS:
        order = await plant.released()
        await shift_under(order, plant, NO_FAULT)
        POSTINGS[plant.subject.simulator, len(order.operations)] = plant.booked(order.number).postings
    return POSTINGS[key]


@pytest.mark.parametrize("fault", ["hang_before_effect", "hang_after_effect"])
async def test_a_reply_that_never_comes_is_made_up_for(plant, fault):
    assert plant.proves("find.every_step")
    order = await plant.released()
    floor = plant.floor(order)
    ident = await up_to_the_last(floor)
    await tell(floor, STARTED, ident, ["push.operation.started"])
    patience = WITH_REAL_ERPS if plant.subject.is_real else LITTLE_PATIENCE
    floor.fault, floor.erp = fault, plant.connect(reply_seconds=patience)
    await work(floor, ident, 2)
    assert floor.hits
    floor.fault = NO_FAULT
    assert differences(floor, plant.booked(order.number)) == []


async def test_states_follow_the_floor(plant):
    order = await plant.released()
    floor = plant.floor(order)
    first = order.operations[0].operation_id
    steps = [
        (STARTED, "push.operation.started", "running"),
        (PAUSED, "push.operation.paused", "paused"),
        (RESUMED, "push.operation.resumed", "running"),
    ]
    for kind, key, state in steps:
        await tell(floor, kind, first, [key])
        _check_state(plant, order, key, state)
    if plant.checklist.is_done("push.order.started"):
        assert plant.booked(order.number).state == "started"
    await complete(floor)
    _check_state(plant, order, "push.operation.completed", "completed")
    if plant.checklist.is_done("push.order.completed"):
        assert plant.booked(order.number).state == "completed"


async def complete(floor):
    """Make the whole quantity on every operation and complete it."""
    for operation in floor.order.operations:
        await complete_one(floor, operation.operation_id)


async def up_to_the_last(floor):
    """Complete the operations before the last one, and return that one's id."""
    *before, last = [operation.operation_id for operation in floor.order.operations]
    for ident in before:
        await complete_one(floor, ident)
    return last


def _check_state(plant, order, key, state):
    if plant.checklist.is_done(key):
        assert plant.booked(order.number).operations[0].state == state, key


async def test_a_planner_changes_a_started_order(plant):
    done = plant.proves("pull.changed_midflight")
    order = await plant.released()
    floor, less = plant.floor(order), order.quantity - 2
    first = order.operations[0].operation_id
    await tell(floor, STARTED, first, ["push.operation.started"])
    await work(floor, first, less)
    _, watermark = await plant.pull()
    if not done:
        with pytest.raises(Exception, match=r"\w"):  # the ERP's own refusal, whatever the simulator calls it
            plant.simulator.change_quantity(order.number, less)
        return
    plant.simulator.change_quantity(order.number, less)
    changed = (await plant.pull(watermark))[0][order.number]
    assert (changed.quantity, changed.erp_state) == (less, ErpState.RELEASED)
    assert changed.operation_ids == order.operation_ids
    floor.order = changed
    await tell(floor, COMPLETED, first, ["push.operation.completed"])
    for operation in changed.operations[1:]:
        await complete_one(floor, operation.operation_id)
    booked = plant.booked(order.number)
    assert differences(floor, booked) == []
    if plant.checklist.is_done("push.order.completed"):
        assert booked.state == "completed"


# -- quantities out of the ordinary -----------------------------------------------------------------------------------


async def test_an_order_is_completed_with_less(plant):
    done = plant.proves("push.production.under_production")
    order = await plant.released()
    floor = plant.floor(order)
    first, *others = [operation.operation_id for operation in order.operations]
    reason, less = plant.subject.scrap_reason, order.quantity - 1
    ends = [await floor.states(STARTED, first)]
    ends.append(await floor.states(REPORTED, first, good=less, scrap=Decimal(1), scrap_reason=reason))
    ends.append(await floor.states(COMPLETED, first))
    for ident in others:
        ends.append(await floor.states(STARTED, ident))
        ends.append(await floor.states(REPORTED, ident, good=less))
        ends.append(await floor.states(COMPLETED, ident))
    _check_done_or_parked(plant, floor, done, [words for told in ends for words in told.parked])


async def test_more_is_made_than_was_planned(plant):
    done = plant.proves("push.production.over_production")
    order = await plant.released()
    floor = plant.floor(order)
    parked = []
    for operation in order.operations:
        ident = operation.operation_id
        for kind, fields in ((STARTED, {}), (REPORTED, {"good": order.quantity + 1}), (COMPLETED, {})):
            parked += (await floor.states(kind, ident, **fields)).parked
    _check_done_or_parked(plant, floor, done, parked)


def _check_done_or_parked(plant, floor, done, parked):
    if not done:
        assert parked
        assert all(plain(words) for words in parked), parked
        return
    assert parked == []
    booked = plant.booked(floor.order.number)
    assert differences(floor, booked) == []
    if plant.checklist.is_done("push.order.completed"):
        assert booked.state == "completed"


async def test_serial_numbers_arrive(plant):
    done = plant.proves("push.production.serials")
    order = await plant.released(plant.subject.serial_order if done else None)
    floor = plant.floor(order)
    names = [f"{order.number}-{letter}" for letter in "ABC"]
    await made(
        floor,
        [{"good": Decimal(2), "serials": tuple(names[:2])}, {"good": Decimal(1), "serials": (names[2],)}],
    )
    booked = plant.booked(order.number)
    assert sorted(booked.serials) == (names if done else [])
    assert differences(floor, booked) == []


async def test_a_batch_arrives(plant):
    done = plant.proves("push.production.batch")
    order = await plant.released(plant.subject.batch_order if done else None)
    floor = plant.floor(order)
    await made(floor, [{"good": Decimal(2), "batch": "B-7"}, {"good": Decimal(1), "batch": "B-7"}])
    booked = plant.booked(order.number)
    assert list(booked.batches) == (["B-7"] if done else [])
    assert differences(floor, booked) == []


async def made(floor, reports):
    """Make pieces: all operations before the last with bare quantities, the last one with `reports`."""
    last = await up_to_the_last(floor)
    await tell(floor, STARTED, last, ["push.operation.started"])
    for report in reports:
        await tell(floor, REPORTED, last, **report)


# -- corrections ------------------------------------------------------------------------------------------------------


async def test_a_quantity_is_taken_back(plant):
    done = plant.proves("push.correction.quantity")
    order = await plant.released()
    floor = plant.floor(order)
    ident = await up_to_the_last(floor)
    await tell(floor, STARTED, ident, ["push.operation.started"])
    await work(floor, ident, 2)
    wrong = await work(floor, ident, 5)
    await check_taken_back(plant, floor, wrong, done=done)


async def test_a_time_is_taken_back(plant):
    done = plant.proves("push.correction.time")
    floor = plant.floor(await plant.released())
    ident = floor.order.operations[0].operation_id
    await tell(floor, STARTED, ident, ["push.operation.started"])
    await tell(floor, TIMED, ident, seconds=Decimal(720), time_kind=RUN, operator="Ann")
    wrong = await tell(floor, TIMED, ident, seconds=Decimal(3600), time_kind=RUN, operator="Ann")
    await check_taken_back(plant, floor, wrong, done=done)


async def test_a_status_is_taken_back(plant):
    done = plant.proves("push.correction.status")
    floor = plant.floor(await plant.released())
    wrong = await tell(floor, STARTED, floor.order.operations[0].operation_id)
    await check_taken_back(plant, floor, wrong, done=done)
    if done:
        assert plant.booked(floor.order.number).operations[0].state == "pending"


async def check_taken_back(plant, floor, wrong, *, done):
    """Correct what the last message of `wrong` told: the books follow, or it is parked with words for a person."""
    told = await floor.takes_back(wrong.messages[-1])
    if done:
        assert told.ends[-1].finished, shown(told.ends[-1])
        assert differences(floor, plant.booked(floor.order.number)) == []
        return
    if told.parked:
        assert plain(told.parked[-1]), told.parked
    else:
        assert not plant.erp.pushes(MessageKind.CORRECTION)


@pytest.mark.parametrize("fault", [LOSSY, "drop_before_effect", "drop_after_effect"])
async def test_whatever_goes_wrong_what_is_taken_back_is_taken_back_once(plant, fault):
    assert plant.proves("find.every_step")
    by_serial = plant.checklist.is_done("push.production.serials")
    order = await plant.released(plant.subject.serial_order if by_serial else None)
    floor = plant.floor(order)
    last = await up_to_the_last(floor)
    await tell(floor, STARTED, last, ["push.operation.started"])
    floor.fault = fault
    wrong = await work(floor, last, 1, **named(floor, "A"))
    await work(floor, last, 1, **named(floor, "B"))
    spent = await tell(floor, TIMED, last, ["push.time.run"], seconds=Decimal(720), time_kind=RUN)
    await tell(floor, TIMED, last, ["push.time.run"], seconds=Decimal(1800), time_kind=RUN)
    for key, told in (("push.correction.quantity", wrong), ("push.correction.time", spent)):
        if plant.checklist.is_done(key):
            await check_taken_back(plant, floor, told, done=True)
    assert floor.hits
    assert plant.simulator.overlaps == 0
    assert differences(floor, plant.booked(order.number)) == []


def named(floor, letter):
    """Return the serial number of a piece where the ERP keeps such."""
    keeps = floor.plant.checklist.is_done("push.production.serials")
    return {"serials": (f"{floor.order.number}-{letter}",)} if keeps else {}


# -- what the ERP refuses ---------------------------------------------------------------------------------------------


def plain(words):
    """Tell whether a person understands it: words, no markup, no JSON, no bare status."""
    return len(re.findall(r"[^\W\d_]{2,}", words)) >= 3 and not re.search(r"[{}<>]|^HTTP \d+$|None\b", words)


async def test_work_on_a_cancelled_order_is_parked_in_words(plant):
    assert plant.proves("reply.cancelled_order")
    order = await plant.released()
    plant.simulator.cancel(order.number)
    before = plant.booked(order.number)
    floor = plant.floor(order)
    told = await floor.states(STARTED, order.operations[0].operation_id)
    told.ends += (await floor.states(REPORTED, order.operations[-1].operation_id, good=Decimal(1))).ends
    assert told.parked
    assert all(plain(words) for words in told.parked), told.parked
    after = plant.booked(order.number)
    assert (after.good, after.postings) == (before.good, before.postings)


async def test_work_on_an_unknown_operation_is_parked_in_words(plant):
    assert plant.proves("reply.unknown_operation")
    order = await plant.released()
    unknown = plant.subject.unknown_operation(order.operations[0])
    floor = plant.floor(replace(order, operations=(*order.operations, unknown)))
    told = await floor.states(REPORTED, unknown.operation_id, good=Decimal(1))
    assert told.parked
    assert all(plain(words) for words in told.parked), told.parked
    assert plant.booked(order.number).good == 0


async def test_what_the_erp_refuses_is_parked(plant):
    assert plant.proves("reply.validation")
    order = await plant.released()
    floor = plant.floor(order)
    await work(floor, order.operations[0].operation_id, 1)  # so that nobody has to sign in any more
    plant.simulator.fault("", "status:422", times=50)
    try:
        told = await floor.states(REPORTED, order.operations[-1].operation_id, good=Decimal(1))
    finally:
        plant.simulator.no_faults()
    assert told.parked
    assert not any(getattr(end, "finished", False) for end in told.ends)


async def test_revoked_credentials_halt(own_plant):
    plant = own_plant
    assert plant.proves("reply.wrong_credentials")
    order = await plant.released()
    plant.simulator.revoke_credentials()
    erp = plant.connect()
    reason = await erp.probe()
    assert reason
    assert not any(secret in reason for secret in plant.secrets.values())
    told = await plant.floor(order, erp=erp).states(
        REPORTED, order.operations[-1].operation_id, good=Decimal(1)
    )
    assert {decision.verdict for decision in told.decisions} == {Verdict.HALT}
    with pytest.raises(ErpUnavailable):
        await plant.pull(erp=erp)


async def test_an_erp_that_is_away_is_waited_for(subject):
    with subject.simulator() as simulator:
        plant = Plant(subject, simulator)
        assert plant.proves("reply.unreachable")
        order = await plant.released()
    erp = plant.connect()
    with pytest.raises(ErpUnavailable):
        await plant.pull(erp=erp)
    assert await erp.probe()
    advance = await plant.floor(order, erp=erp).once(
        REPORTED, order.operations[-1].operation_id, good=Decimal(1)
    )
    assert (advance.decision.verdict, advance.progress) == (Verdict.RETRY, Progress())
    assert not advance.decision.spends_attempt
    await plant.close()


# -- read-back --------------------------------------------------------------------------------------------------------

TOLD, STORED = "7731", "7713"


@pytest.mark.parametrize("fault", [NO_FAULT, "drop_after_effect"])
async def test_a_quantity_stored_otherwise_is_a_warning(own_plant, fault):
    """Whether the reply shows it, or what is found after the reply was lost."""
    plant = own_plant
    if not plant.proves("read_back.quantity"):
        return
    order = await plant.released(replace(plant.subject.order, quantity=Decimal(9000)))
    floor = plant.floor(order)
    ident = await up_to_the_last(floor)
    await tell(floor, STARTED, ident, ["push.operation.started"])
    plant.simulator.app, floor.fault = misread(plant.simulator.app), fault
    told = await floor.states(REPORTED, ident, good=Decimal(TOLD))
    assert told.ends[-1].finished, shown(told.ends[-1])
    assert any(STORED in warning and TOLD in warning for warning in told.warnings), told.warnings


def misread(app):
    """Let the ERP show one figure otherwise than it was told, wherever it shows it."""

    async def misreading(scope, receive, send):
        async def sent(message):
            if "body" in message:
                message = message | {"body": message["body"].replace(TOLD.encode(), STORED.encode())}
            await send(message)

        await app(scope, receive, sent)

    return misreading
