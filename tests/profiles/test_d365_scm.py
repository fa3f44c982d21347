"""What is Dynamics 365's own: accepted is not posted, and what was lost is not sent twice."""

from datetime import timedelta
from decimal import Decimal

import pytest

from shared.domain.message import Progress
from shared.domain.verdict import Verdict
from shared.mapping.message_body import context_of, message_of
from shared.profiles.loader import parse_profile
from tests.profiles.plant import Plant
from tests.profiles.shift import REPORTED
from tests.profiles.subjects.d365_scm import SUBJECT

LAST = "20"
LOOKS = 12


@pytest.fixture
async def plant():
    with SUBJECT.simulator() as simulator:
        plant = Plant(SUBJECT, simulator)
        yield plant
        await plant.close()


async def planned(plant, order, **fields):
    """Return the push that reports a quantity, nothing of it told."""
    silent = plant.floor(order)
    drafts = []

    async def keep(draft, event, _told):
        drafts.append((draft, event))

    silent._tell = keep
    await silent.states(REPORTED, LAST, **fields)
    draft, event = drafts[-1]
    queued = silent._queued(draft, event)
    return plant.erp.plan(message_of(queued, order, {}), context_of(queued, order, SUBJECT.links))


async def looked(plant, plan, progress, looks):
    """Advance `looks` times, each a try more."""
    advances = []
    for attempts in range(looks):
        advances.append(await plant.erp.advance(plan, progress, attempts))
        progress = advances[-1].progress
    return advances


async def sent(plant, plan):
    """Advance until the first message is accepted; returns the progress."""
    progress = Progress()
    while not plant.simulator.processor.messages:
        progress = (await plant.erp.advance(plan, progress, 0)).progress
    return progress


async def test_accepted_is_not_posted(plant):
    order = await plant.released()
    plan = await planned(plant, order, good=Decimal(2))
    progress = await sent(plant, plan)
    for advance in await looked(plant, plan, progress, 3):
        assert (advance.decision.verdict, advance.decision.after) == (Verdict.RETRY, timedelta(seconds=60))
        assert not advance.finished
    plant.simulator.settle()
    advance = await plant.erp.advance(plan, progress, 3)
    assert advance.decision.verdict is Verdict.DONE
    assert advance.progress.step > progress.step


@pytest.mark.parametrize(
    ("fault", "arrived"), [("drop_before_effect", 0), ("drop_after_effect", 1), ("status:504", 0)]
)
async def test_what_was_lost_is_waited_for_and_never_sent_again_by_itself(plant, fault, arrived):
    order = await plant.released()
    plan = await planned(plant, order, good=Decimal(2))
    plant.simulator.fault("SendMessage", fault)
    progress = (await plant.erp.advance(plan, Progress(), 0)).progress
    lost = await plant.erp.advance(plan, progress, 0)
    assert lost.decision.verdict is Verdict.RETRY
    advances = await looked(plant, plan, lost.progress, LOOKS)
    assert advances[-1].decision.verdict is Verdict.PARK
    assert len(plant.simulator.processor.messages) == arrived


async def test_what_was_lost_and_comes_late_is_found(plant):
    order = await plant.released()
    plan = await planned(plant, order, good=Decimal(2))
    plant.simulator.fault("SendMessage", "drop_after_effect")
    progress = (await plant.erp.advance(plan, Progress(), 0)).progress
    lost = await plant.erp.advance(plan, progress, 0)
    progress = (await looked(plant, plan, lost.progress, 5))[-1].progress
    plant.simulator.settle()
    assert (await plant.erp.advance(plan, progress, 5)).decision.verdict is Verdict.DONE
    assert len(plant.simulator.processor.messages) == 1


async def test_what_the_batch_job_refuses_is_parked_and_not_repeated(plant):
    order = await plant.released(SUBJECT.batch_order)
    floor = plant.floor(order)
    told = await floor.states(REPORTED, LAST, good=Decimal(2))
    assert "not to be found" in told.parked[-1]
    failed = [message for message in plant.simulator.processor.messages if message.state == "Failed"]
    assert [message.type for message in failed] == ["ProdProductionOrderReportFinished"]
    assert "Batch number must be specified." in failed[0].log


async def test_work_on_an_order_that_was_taken_back_to_scheduling_is_parked(plant):
    order = await plant.released()
    plant.simulator.books.order(plant.simulator.company, order.number).status = "Scheduled"
    told = await plant.floor(order).states(REPORTED, LAST, good=Decimal(2))
    assert f"production order {order.number} is Scheduled in Dynamics 365: it is not released" in told.parked
    assert plant.simulator.processor.messages == []


async def test_an_exception_of_the_service_is_parked_in_its_words(plant):
    order = await plant.released()
    plan = await planned(plant, order, good=Decimal(2))
    plant.simulator.books.companies = ()
    progress = (await plant.erp.advance(plan, Progress(), 0)).progress
    advance = await plant.erp.advance(plan, progress, 0)
    assert advance.decision.verdict is Verdict.PARK
    assert "Company usmf does not exist" in advance.decision.reason


OVERLAY = """
extends: d365_scm
settings:
  journal: {help: "name of the route card journal"}
groups:
  card:
    card: {post: {content: {JournalNameId: =settings.journal}}}
push:
  production.reported:
    values: {reports: {make: {JournalNameId: FloorRaf}}}
"""


def test_journals_of_ones_own_are_named_by_an_overlay():
    profile = parse_profile(OVERLAY, "ours.yaml")
    card = next(part for part in profile.groups["card"] if part.name == "card")
    assert card.given["content"].source["JournalNameId"] == "=settings.journal"
    reports = profile.push["production.reported"].values["reports"].source
    assert (reports["make"]["JournalNameId"], reports["make"]["ItemNumber"]) == ("FloorRaf", "=order.part")
