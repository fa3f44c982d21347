"""Time lines of a work centre: mrp.workcenter.productivity, and the durations made of them.

Source: addons/mrp/models/mrp_workcenter.py MrpWorkcenterProductivity, mrp_workorder.py _set_duration.
"""

from datetime import timedelta

from tests.simulators.odoo.errors import validation_error
from tests.simulators.odoo.records import COMPANY, USER

MODEL = "mrp.workcenter.productivity"
LOSSES = (
    ("Material Availability", "availability"),
    ("Equipment Failure", "availability"),
    ("Setup and Adjustments", "availability"),
    ("Reduced Speed", "performance"),
    ("Process Defect", "quality"),
    ("Reduced Yield", "quality"),
    ("Fully Productive Time", "productive"),
)


class Timers:
    """Open and closed time lines of work orders."""

    def __init__(self, records):
        self.records = records
        for name, kind in LOSSES:
            records.add("mrp.workcenter.productivity.loss", name=name, loss_type=kind)
        records.computed |= {
            (MODEL, "duration"): self.minutes_of,
            (MODEL, "loss_type"): lambda ident: self._loss(records.get(MODEL, ident))["loss_type"],
            (MODEL, "production_id"): self._production,
            ("mrp.workorder", "duration"): self.duration,
            ("mrp.workorder", "is_user_working"): lambda ident: bool(self.open_lines(ident, USER)),
        }
        records.defaults[MODEL] = lambda: {"user_id": USER, "company_id": COMPANY, "date_start": records.now}
        records.writers["mrp.workorder", "duration"] = self.set_duration

    def create(self, values, context=None):
        """Create a line by hand; a user cannot have two open lines on one work order."""
        ident = self.records.create(MODEL, values, context)
        workorder = self.records.get(MODEL, ident).get("workorder_id")
        user = self.records.get(MODEL, ident)["user_id"]
        if workorder and len(self.open_lines(workorder, user)) > 1:
            name = self.records.display_name("mrp.workorder", workorder)
            raise validation_error(f"The Workorder ({name}) cannot be started twice!")
        return ident

    def lines(self, workorder):
        """Return all lines of a work order."""
        return self.records.where(MODEL, workorder_id=workorder)

    def open_lines(self, workorder, user=None):
        """Return the lines without an end, of one user or of all."""
        return [
            row for row in self.lines(workorder) if not row.get("date_end") and user in (None, row["user_id"])
        ]

    def open(self, workorder):
        """Start the clock for the user."""
        self._line(workorder, self.duration(workorder), self._second(self.records.now))

    def close(self, workorder, user=None):
        """Stop the clock of one user (his first open line) or of everybody."""
        lines = self.open_lines(workorder, user)
        for row in lines[:1] if user else lines:
            self._close(row)

    def _close(self, row):
        end = self._second(self.records.now)
        self.records.set(MODEL, row["id"], date_end=end)
        beyond = self.duration(row["workorder_id"]) - self._expected(row["workorder_id"])
        if beyond <= 0:
            return
        productive_end = end - timedelta(minutes=beyond)
        slow = self._loss_id("performance")
        if productive_end <= row["date_start"]:
            self.records.set(MODEL, row["id"], loss_id=slow)
            return
        self.records.set(MODEL, row["id"], date_end=productive_end)
        copied = {name: row[name] for name in ("workorder_id", "workcenter_id", "user_id", "description")}
        self.records.add(MODEL, **copied, loss_id=slow, date_start=productive_end, date_end=end)

    def minutes_of(self, ident):
        """Return the minutes of a closed line, 0 for an open one."""
        row = self.records.get(MODEL, ident)
        if not row.get("date_end"):
            return 0.0
        spent = self._second(row["date_end"]) - self._second(row["date_start"])
        return round(spent.total_seconds() / 60, 2)

    def duration(self, workorder):
        """Return a work order's real duration in minutes; version 19 counts the running clock in."""
        total = sum(self.minutes_of(row["id"]) for row in self.lines(workorder))
        if self.records.version == 17:
            return total
        running = self.open_lines(workorder)
        return total + sum((self.records.now - row["date_start"]).total_seconds() / 60 for row in running)

    def set_duration(self, workorder, minutes):
        """Book or take away the difference: new time ends now, the first lines go first."""
        difference = minutes - self.duration(workorder)
        if difference > 0:
            now = self.records.now
            if self.records.version == 19 and self.records.get("mrp.workorder", workorder)["state"] in (
                "blocked",
                "ready",
            ):
                self.records.set("mrp.workorder", workorder, state="progress")
            self._book(workorder, minutes, now - timedelta(minutes=difference), now)
        else:
            self._take_away(workorder, -difference)

    def _book(self, workorder, minutes, start, end):
        """Book one line, or two where the expected time is passed on the way: productive, then reduced speed."""
        expected = self._expected(workorder)
        if expected >= minutes or self.duration(workorder) >= expected:
            self._line(workorder, minutes, start, end)
            return
        passed = end - timedelta(minutes=minutes - expected)
        self._line(workorder, expected, start, passed)
        self._line(workorder, minutes, passed, end)

    def _take_away(self, workorder, minutes):
        for row in self.lines(workorder):
            length = self.minutes_of(row["id"])
            if minutes <= 0:
                return
            if length <= minutes:
                minutes -= length
                self.records.remove(MODEL, row["id"])
            else:
                start = row["date_end"] - timedelta(minutes=length - minutes)
                self.records.set(MODEL, row["id"], date_start=start)
                return

    def _line(self, workorder, duration, start, end=None):
        expected = self._expected(workorder)
        kind = "productive" if not expected or duration <= expected else "performance"
        self.records.add(
            MODEL,
            workorder_id=workorder,
            workcenter_id=self.records.get("mrp.workorder", workorder)["workcenter_id"],
            loss_id=self._loss_id(kind),
            user_id=USER,
            company_id=COMPANY,
            description="Time Tracking: Tascus",
            date_start=self._second(start),
            date_end=self._second(end) if end else False,
        )

    def _expected(self, workorder):
        return self.records.get("mrp.workorder", workorder).get("duration_expected") or 0.0

    def _loss_id(self, kind):
        return self.records.where("mrp.workcenter.productivity.loss", loss_type=kind)[0]["id"]

    def _loss(self, row):
        return self.records.get("mrp.workcenter.productivity.loss", row["loss_id"])

    def _production(self, ident):
        workorder = self.records.get(MODEL, ident).get("workorder_id")
        return self.records.get("mrp.workorder", workorder)["production_id"] if workorder else False

    def _second(self, moment):
        return moment.replace(microsecond=0)
