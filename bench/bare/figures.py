"""What every bench returns and prints."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figures:
    """A count done in some seconds; latencies in milliseconds, of one request or one event as `name` says."""

    name: str
    count: int
    seconds: float
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    note: str = ""

    @property
    def rate(self) -> float:
        """Things done in a second."""
        return self.count / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, str | int | float]:
        """Return the fields by name, for JSON."""
        return asdict(self)


def figures_of(name: str, count: int, seconds: float, latencies: Sequence[float], note: str = "") -> Figures:
    """Return figures; `latencies` are seconds, in any order, and may be empty."""
    ordered = sorted(latencies)
    p50, p95, p99 = (percentile(ordered, share) * 1000 for share in (0.50, 0.95, 0.99))
    return Figures(name, count, seconds, p50, p95, p99, note)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile of sorted values, 0 when there are none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def show(figures: Figures) -> None:
    """Print one line."""
    latencies = (
        f"p50 {figures.p50:7.1f}  p95 {figures.p95:7.1f}  p99 {figures.p99:7.1f} ms" if figures.p50 else ""
    )
    print(f"{figures.name:<44} {figures.rate:>10,.0f}/s  {latencies}  {figures.note}".rstrip())


def show_ratio(ours: Figures, bare: Figures, aim: float) -> None:
    """Print both, and ours as a share of bare beside the aim."""
    show(bare)
    show(ours)
    share = ours.rate / bare.rate if bare.rate else 0.0
    print(f"{'':<44} {share:>10.2f} of bare (aim {aim:.2f})")
