"""What a person watches: a line for every turn of the story, the figures as they move, and the table at the end."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from demo.api import Standing
from demo.compare import Figures, Row

QUIET_SECONDS = 5.0  # between two lines of figures where they cannot move in place
BAR = 16
WIDTH_OF_A_LOG = 150


@dataclass(frozen=True)
class Now:
    """The state of play: events of the whole shift, sent so far, where they are, whether the ERP is up."""

    planned: int
    sent: int
    standing: Standing
    erp_up: bool


class Show:
    """Prints. On a terminal the figures stay in one place, elsewhere a line comes now and then."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        if not self._console.is_terminal:
            self._console.width = WIDTH_OF_A_LOG
        self._live: Live | None = None
        self._began = time.monotonic()
        self._told = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=8, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, text: str) -> None:
        """One turn of the story, with the seconds since the beginning."""
        self._console.print(f"[dim]{time.monotonic() - self._began:6.1f} s[/dim]  {escape(text)}")

    def now(self, now: Now) -> None:
        """Show the state of play."""
        if self._live is not None:
            self._live.update(_bar(now))
        elif time.monotonic() - self._told > QUIET_SECONDS:
            self._told = time.monotonic()
            self.say("".join(part if isinstance(part, str) else part[0] for part in _state(now)))

    def rows(self, rows: Sequence[Row], parts: dict[str, str]) -> None:
        """The table: floor against ERP, order by order."""
        table = Table(title="Every works order: floor = ERP", title_justify="left")
        for name in ("order", "part", "good", "scrap", "rework", "time", "status"):
            table.add_column(name, justify="right" if name in {"good", "scrap", "rework", "time"} else "left")
        table.add_column("")
        for row in rows:
            cells = _cells(row.floor, row.erp)
            tick = "[red]✗[/red]" if row.differences else "[green]✓[/green]"
            table.add_row(row.number, parts.get(row.number, ""), *cells, tick)
        self._console.print(table)

    def warnings(self, warnings: Sequence[dict[str, Any]]) -> None:
        """What a supervisor would have in front of them."""
        table = Table(title="Warnings", title_justify="left")
        for name in ("kind", "state", "times", "detail"):
            table.add_column(name, no_wrap=name != "detail")
        for warning in sorted(warnings, key=lambda each: (each["kind"], each["subject"])):
            times = str(warning["occurrences"])
            table.add_row(warning["kind"], warning["state"], times, escape(warning["detail"]))
        counted = Counter(warning["kind"] for warning in warnings)
        self._console.print(table)
        self._console.print(", ".join(f"{kind} {many}" for kind, many in counted.most_common()))

    def line(self, text: str = "") -> None:
        """A line without the time."""
        self._console.print(escape(text))

    def verdict(self, differences: Sequence[str]) -> None:
        """Whether every figure agrees and, if not, which do not."""
        if not differences:
            self._console.print("[bold green]✓ Floor and ERP agree in every figure.[/bold green]")
            return
        self._console.print(f"[bold red]✗ {len(differences)} differences:[/bold red]")
        for difference in differences:
            self._console.print(f"  {escape(difference)}")


def _bar(now: Now) -> Text:
    """How much has come to its end, and the state of play in words; fits a narrow terminal."""
    share = min(1.0, now.standing.delivered / now.planned) if now.planned else 0.0
    filled = int(share * BAR)
    return Text.assemble(("━" * filled, "green"), ("━" * (BAR - filled), "bright_black"), " ", *_state(now))


def _state(now: Now) -> list[str | tuple[str, str]]:
    standing = now.standing
    waiting = f"{standing.pending} wait, {standing.held} held, {standing.parked} parked"
    up = ("ERP up", "green") if now.erp_up else ("ERP DOWN", "bold red")
    return [f"{now.sent}/{now.planned} posted, {standing.delivered} through, {waiting}, ", up]


def _cells(floor: Figures, erp: Figures | None) -> list[str]:
    if erp is None:
        return ["?"] * 5
    return [
        _both(_text(floor.good), _text(erp.good)),
        _both(_text(floor.scrap), _text(erp.scrap)),
        _both(_text(floor.rework), _text(erp.rework)),
        _both(_clock(floor.seconds), _clock(erp.seconds)),
        f"{floor.state} = {erp.state}",
    ]


def _both(floor: str, erp: str) -> str:
    return floor if floor == erp else f"[red]{floor} ≠ {erp}[/red]"


def _text(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _clock(seconds: Decimal) -> str:
    """Hours, minutes and exact seconds."""
    whole, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(whole), 60)
    last, dot, part = _text(rest).partition(".")
    return f"{hours}:{minutes:02}:{last.zfill(2)}{dot}{part}"
