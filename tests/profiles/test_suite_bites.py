"""The scenarios notice a wrong profile: one mistake at a time in the plain profile, and the scenario that must fail."""

from dataclasses import replace

import pytest

from shared.profiles.loader import SHIPPED
from tests.profiles import test_scenarios as scenarios
from tests.profiles.plant import Plant
from tests.profiles.subjects.plain_rest import SUBJECT

RIGHT = (SHIPPED / f"{SUBJECT.profile}.yaml").read_text("utf-8")


async def shift(plant):
    await scenarios.test_a_whole_shift_is_booked_as_told(plant)


def under(fault):
    async def shift_with_faults(plant):
        await scenarios.test_whatever_goes_wrong_every_effect_is_there_once(plant, fault)

    return shift_with_faults


async def pages(plant):
    await scenarios.drifting(plant, "release")


MISTAKES = {
    "scrap is left out": (
        "scrap: =told.scrap",
        'scrap: "0"',
        shift,
        "push.production.scrap",
    ),
    "rework is left out": (
        "rework: =told.rework",
        'rework: "0"',
        shift,
        "push.production.rework",
    ),
    "a time is wrong": ("seconds: =told.seconds", 'seconds: "1"', shift, "push.time.run"),
    "the reason is left out": (
        "reason?: =not_null(told.scrap_reason",
        "reason?: =not_null(`null`",
        shift,
        "reason_codes",
    ),
    "nobody looks before sending again": (
        "        find: result\n        verified: =reply.body.posting",
        "        idempotent_because: somebody said so\n        verified: =reply.body.posting",
        under("drop_after_effect"),
        "push.production",
    ),
    "nobody looks after a crash": (
        "        find: result\n        verified: =reply.body.posting",
        "        idempotent_because: somebody said so\n        verified: =reply.body.posting",
        under("lossy"),
        "push.production",
    ),
    "a gateway is taken for the ERP": (
        "answers: =not_null(reply.body.postings, reply.body.number)",
        "answers: =reply.status",
        under(scenarios.GATEWAY),
        "gateway at GET /orders",
    ),
    "a busy ERP is given up": (
        "  rules:\n",
        "  rules:\n    - {status: [429], verdict: park, reason: it is busy}\n",
        under(scenarios.THROTTLED),
        "429",
    ),
    "one page is enough": (
        "    watermark:",
        "    paging: {kind: none}\n    watermark:",
        pages,
        "one page only",
    ),
    "a changed order is not asked for": (
        "changed_since: =since",
        "changed_since: =since && '2999'",
        scenarios.test_a_planners_change_comes_with_the_next_pull,
        "WO-000001",
    ),
    "a cancellation is not asked for": (
        "'released,started,completed,cancelled'",
        "'released,started,completed'",
        scenarios.test_a_cancellation_comes_with_the_next_pull,
        "WO-000001",
    ),
    "a refusal is left as it came": (
        'park: "the ERP says: {reply.body.error}"',
        'park: "{to_string(reply.body)}"',
        scenarios.test_work_on_a_cancelled_order_is_parked_in_words,
        "order cancelled",
    ),
    "a refusal is believed to be done": (
        "park: ",
        "done: ",
        scenarios.test_work_on_an_unknown_operation_is_parked_in_words,
        "parked",
    ),
    "wrong credentials are one message's fault": (
        "  rules:\n",
        "  rules:\n    - {status: [401], verdict: park, reason: the key is wrong}\n",
        scenarios.test_revoked_credentials_halt,
        "HALT",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_a_mistake_is_noticed(tmp_path, mistake):
    right, wrong, scenario, words = MISTAKES[mistake]
    assert right in RIGHT
    profile = tmp_path / "plain.yaml"
    profile.write_text(RIGHT.replace(right, wrong, 1), encoding="utf-8")
    with SUBJECT.simulator() as simulator:
        checklist = SHIPPED / f"{SUBJECT.profile}.checklist.yaml"
        plant = Plant(replace(SUBJECT, profile=str(profile), checklist_file=checklist), simulator)
        with pytest.raises((AssertionError, KeyError), match=words):
            await scenario(plant)
        await plant.close()
