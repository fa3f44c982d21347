"""Reference links: one ERP value joined to one Tascus value."""

from dataclasses import dataclass
from decimal import Decimal

from shared.domain.identity import key_of


@dataclass(frozen=True, slots=True)
class ReferenceLink:
    """`factor`, for units only: one Tascus unit is so many ERP units."""

    connection: str
    kind: str
    tascus_value: str
    erp_value: str
    factor: Decimal | None = None

    @property
    def key(self) -> str:
        """Row key: a Tascus value has one counterpart per connection and kind."""
        return key_of(self.connection, self.kind, self.tascus_value)


@dataclass(frozen=True, slots=True)
class LinkLine:
    """One ERP value for one Tascus value. `factor`, for units only: one Tascus unit is so many ERP units."""

    kind: str
    tascus_value: str
    erp_value: str
    factor: Decimal | None


@dataclass(frozen=True, slots=True)
class LinkLines:
    """The reference links of one connection, by kind and Tascus value."""

    links: list[LinkLine]
