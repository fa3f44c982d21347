"""Bodies of the deciding doors."""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from functions.problems import WITHOUT_NUL
from functions.shape import Shape
from shared.domain.decision import Verdict

Actor = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=WITHOUT_NUL, strip_whitespace=True)
]
Note = Annotated[
    str, StringConstraints(min_length=1, max_length=4000, pattern=WITHOUT_NUL, strip_whitespace=True)
]
Factor = Annotated[Decimal, Field(gt=0, le=1_000_000, decimal_places=6)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=WITHOUT_NUL)]


class Retry(Shape):
    """Who tries again, and why; may be left out."""

    actor: Actor | None = Field(default=None, description="empty: who has signed in, or `unnamed`")
    note: Annotated[str, StringConstraints(max_length=4000, pattern=WITHOUT_NUL)] = ""


class Decision(Shape):
    """Who decides, and what they say about it; both stay in the audit trail."""

    actor: Actor
    note: Note


class ChangeDecision(Decision):
    """What to do with a plan the ERP changed under running work: take it over, or keep ours."""

    decision: Verdict


class Link(Shape):
    """One ERP value for one Tascus value. `factor`, for units only: one Tascus unit is so many ERP units."""

    kind: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,39}$")] = Field(
        description="scrap_reason, rework_reason, work_centre, unit, or a kind the profile names"
    )
    tascus_value: Code
    erp_value: Code
    factor: Factor | None = None

    @model_validator(mode="after")
    def only_units_have_factors(self) -> Self:
        """Refuse a factor where it would be ignored; a unit without one is another name for the same unit."""
        if self.factor is not None and self.kind != "unit":
            raise ValueError("only links of kind 'unit' have a factor")
        if self.factor is None and self.kind == "unit":
            self.factor = Decimal(1)
        return self


class Links(Shape):
    """Reference links of one connection."""

    links: Annotated[list[Link], Field(max_length=5000)]
