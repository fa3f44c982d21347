"""What each ERP said once (shared/profiles/replies/) is still read as it was then, and tells no secret.

Record again with `python -m tests.profiles.record [erp ...]` when a profile calls otherwise than it did.
"""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import pytest

from shared.domain.message import Message, MessageKind, Progress
from shared.domain.plan_json import plan_from_json
from shared.domain.verdict import Verdict
from shared.erp.engine import build, checked_settings
from shared.mapping.message_body import context_of
from shared.mapping.order_in import OrderReader
from shared.profiles.loader import load_profile, shipped_profiles
from shared.profiles.model import NoAuth
from tests.profiles.conftest import subject_called
from tests.profiles.floor import KIND_KEYS, shown
from tests.profiles.record import refuse_secrets, steps_of
from tests.profiles.replies import FOLDER, NAMES, content, path_of, read
from tests.profiles.steady import steady

TRIES = 60
LOOK = re.compile(r"\.(find|read_back)$")


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def recording(name):
    return read(name)


@pytest.fixture
def profile(name):
    return load_profile(name)


def test_every_profile_has_its_replies():
    assert shipped_profiles() == NAMES
    assert sorted(path.stem for path in FOLDER.iterdir()) == NAMES


# -- the plan ---------------------------------------------------------------------------------------------------------


def test_the_recorded_order_is_mapped_as_it_was(recording, profile):
    secret = {name: name for name, setting in profile.settings.items() if setting.secret and setting.required}
    settings = checked_settings(profile, recording["settings"] | secret)
    reader = OrderReader(profile.pull.orders, settings, profile.codes)
    assert recording["orders"]
    for order in recording["orders"].values():
        facts = reader.facts(order["record"])
        separate = profile.pull.operations
        operations = separate and [reader.operation(separate.map, one) for one in order["operations"]]
        assert reader.order(facts, reader.state(facts), operations) == plan_from_json(order["mapped"])


# -- the steps --------------------------------------------------------------------------------------------------------


def test_every_recorded_step_is_one_of_the_profile(recording, profile):
    for example in recording["messages"]:
        known = {placed.name for placed in profile.flows[MessageKind(example["kind"])].steps}
        assert {LOOK.sub("", step) for step in steps_of(example)} <= known, example["kind"]


def test_every_step_that_writes_is_recorded(name, recording, profile):
    """A step that several kinds of message do, because one needs another or both use a group, is recorded once."""
    checklist, shown_in = subject_called(name).checklist, Counter()
    for example in recording["messages"]:
        shown_in.update(dict.fromkeys(_steps_shown(profile, example), 1))
    missing = [
        f"{kind}: {placed.name}"
        for kind, flow in profile.flows.items()
        if any(checklist.is_done(key) for key in KIND_KEYS[kind])
        for placed in flow.steps
        if placed.step.call.writes and not shown_in[id(placed.step.call)]
    ]
    assert missing == []


def _steps_shown(profile, example):
    """Return the identities of the profile's steps that an example shows."""
    steps = profile.flows[MessageKind(example["kind"])].steps
    return {id(placed.step.call) for placed in steps if placed.name in steps_of(example)}


# -- the replies ------------------------------------------------------------------------------------------------------


class Replay(httpx.AsyncBaseTransport):
    """Gives the recorded replies in turn, each to the request it was given to, to the letter."""

    def __init__(self, calls):
        self.left = list(calls)

    async def handle_async_request(self, request):
        call = self.left.pop(0)
        await request.aread()
        assert (request.method, request.url.raw_path.decode()) == (call["method"], _path(call)), call["step"]
        assert "cut" in call["request"] or _asks_the_same(request, call["request"]), call["step"]
        return httpx.Response(call["status"], headers=call["headers"], content=content(call["reply"]))


def _asks_the_same(request, kept):
    text = request.content.decode()
    if "json" in kept:
        return json.loads(text, parse_float=Decimal) == kept["json"]
    return text == kept.get("text", "")


def _path(call):
    return httpx.URL(f"https://erp.example.com{call['path']}").raw_path.decode()


async def test_recorded_replies_bring_each_message_to_its_end(recording, profile):
    for example in recording["messages"]:
        transport = Replay(example["calls"])
        erp = replaying(profile, recording["settings"], transport)
        end, steps, warnings = await told(erp, planned(erp, recording, example))
        await erp.close()
        assert end.finished, f"{example['kind']}: {shown(end)}"
        assert steps == [call["step"] for call in example["calls"]]
        assert transport.left == []
        assert warnings == example["warnings"], example["kind"]
        assert json.loads(json.dumps(end.progress.captured)) == example["captured"], example["kind"]


def replaying(profile, settings, transport):
    """Return the ERP of a profile that need not log in: log-ins are not recorded, they are made of secrets."""
    open_to_all = {"auth": NoAuth(), "csrf": None, "envelope": None, "certificate": None}
    limits = profile.connection.limits.model_copy(update={"requests_per_second": None, "quiet_hours": ()})
    connection = profile.connection.model_copy(update=open_to_all | {"limits": limits})
    secret = {name: name for name, setting in profile.settings.items() if setting.secret and setting.required}

    async def resolve(name):
        return f"secret-{name}"

    profile = profile.model_copy(update={"connection": connection})
    return build(profile, settings | secret, resolve, lambda: datetime.now(UTC), transport)


def planned(erp, recording, example):
    """Return the push of a recorded message on its recorded order."""
    said, kind = example["message"], MessageKind(example["kind"])
    order = plan_from_json(recording["orders"][example["order"]]["mapped"])
    stream, _, sequence = said["id"].partition("-")
    message = Message(said["id"], stream, int(sequence), kind, said["operation"], said["body"])
    about = SimpleNamespace(operation_id=said["operation"])
    return erp.plan(message, context_of(about, order, recording["links"]))


async def told(erp, plan):
    """Advance to the end; returns how it ended, the steps taken and the warnings raised."""
    progress, steps, warnings, tries = Progress(), [], [], 0
    for _ in range(TRIES):
        end = await erp.advance(plan, progress, tries)
        warnings += end.warnings
        steps += [exchange.step for exchange in end.exchanges]
        if end.finished or end.decision.verdict in (Verdict.PARK, Verdict.HALT):
            break
        progress, tries = end.progress, tries + (end.decision.verdict is Verdict.RETRY)
    return end, steps, warnings


# -- secrets ----------------------------------------------------------------------------------------------------------

NEVER_RECORDED = re.compile(
    r"PRIVATE KEY|Bearer |Basic |set-cookie|x-csrf-token|authorization|127\.0\.0\.1", re.IGNORECASE
)


def test_no_secret_is_recorded(name):
    text = path_of(name).read_text(encoding="utf-8")
    assert not NEVER_RECORDED.search(text)
    subject = subject_called(name)
    if subject.is_real:
        return  # its server takes long to start; who records is refused a secret (below)
    with steady(), subject.simulator() as simulator:
        refuse_secrets(text, subject.secrets(simulator))


@pytest.mark.parametrize("spelling", ['pass"word', json.dumps('pass"word')])
def test_a_recording_with_a_secret_is_refused(spelling):
    with pytest.raises(ValueError, match="password"):
        refuse_secrets(f"... {spelling} ...", {"password": 'pass"word'})


def test_addresses_are_of_no_machine(recording):
    addresses = [value for key, value in recording["settings"].items() if key.endswith("_url")]
    assert addresses
    assert {urlsplit(address).hostname for address in addresses} == {"erp.example.com"}
