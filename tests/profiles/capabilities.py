"""What the suite proves, and by which scenario; and what a profile's checklist says about it."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from cli.profile.matrix import CAPABILITIES

SHIFT, LIFE = "test_a_whole_shift_is_booked_as_told", "test_states_follow_the_floor"
EVERY_FAULT = "test_whatever_goes_wrong_every_effect_is_there_once"
PROVEN_BY = {
    "pull.released_orders": "test_released_orders_are_pulled_once",
    "pull.not_released": "test_what_is_not_released_stays_away",
    "pull.operations": "test_released_orders_are_pulled_once",
    "pull.standard_times": "test_standard_times_come_with_the_routing",
    "pull.paging": "test_nothing_is_missed_while_pages_drift",
    "pull.changed_since": "test_a_planners_change_comes_with_the_next_pull",
    "pull.changed_midflight": "test_a_planner_changes_a_started_order",
    "pull.cancelled": "test_a_cancellation_comes_with_the_next_pull",
    "pull.deleted": "test_what_is_gone_is_missing_from_the_open_orders",
    "push.order.started": LIFE,
    "push.order.completed": LIFE,
    "push.operation.started": LIFE,
    "push.operation.paused": LIFE,
    "push.operation.resumed": LIFE,
    "push.operation.completed": LIFE,
    "push.production.good": SHIFT,
    "push.production.scrap": SHIFT,
    "push.production.operation_good": SHIFT,
    "push.production.operation_scrap": SHIFT,
    "push.production.rework": SHIFT,
    "push.production.reason_codes": SHIFT,
    "push.production.partial_receipt": SHIFT,
    "push.production.serials": "test_serial_numbers_arrive",
    "push.production.batch": "test_a_batch_arrives",
    "push.production.under_production": "test_an_order_is_completed_with_less",
    "push.production.over_production": "test_more_is_made_than_was_planned",
    "push.time.setup": SHIFT,
    "push.time.run": SHIFT,
    "push.correction.quantity": "test_a_quantity_is_taken_back",
    "push.correction.time": "test_a_time_is_taken_back",
    "push.correction.status": "test_a_status_is_taken_back",
    "find.every_step": EVERY_FAULT,
    "read_back.quantity": "test_a_quantity_stored_otherwise_is_a_warning",
    "reply.validation": "test_what_the_erp_refuses_is_parked",
    "reply.cancelled_order": "test_work_on_a_cancelled_order_is_parked_in_words",
    "reply.unknown_operation": "test_work_on_an_unknown_operation_is_parked_in_words",
    "reply.expired_credentials": EVERY_FAULT,
    "reply.wrong_credentials": "test_revoked_credentials_halt",
    "reply.rate_limit": EVERY_FAULT,
    "reply.unreachable": "test_an_erp_that_is_away_is_waited_for",
}
"""Capability -> the scenario of test_scenarios.py that checks it on every ERP."""


@dataclass(frozen=True)
class Checklist:
    """A profile's checklist: capability -> {state: done|exempt|unproven, reason, note, proven_by, counted_in}."""

    entries: dict

    @classmethod
    def read(cls, path: Path):
        return cls(yaml.safe_load(path.read_text(encoding="utf-8")))

    def state(self, key):
        """Return done, exempt or unproven; a key nobody knows is a mistake of the caller."""
        assert key in CAPABILITIES, key
        return self.entries[key]["state"]

    def is_done(self, key):
        return self.state(key) == "done"

    def is_exempt(self, key):
        return self.state(key) == "exempt"

    def words(self, key):
        """Return why it is exempt, or what is known of it."""
        return self.entries[key].get("reason") or self.entries[key].get("note") or "not yet run"
