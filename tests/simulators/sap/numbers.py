"""Order numbers and NUMC keys inside and outside: padded with zeros in the tables, perhaps not in the JSON.

A system without conversion shows "000001000001" and knows no other form. A system that converts (as SAP's own public
sandbox does) shows "1000001" and takes both forms in keys, filters and bodies.
"""

import re

WIDTHS = {
    "ManufacturingOrder": 12,
    "OrderID": 12,
    "ConfirmationGroup": 10,
    "ConfirmationCount": 8,
    "OrderIntBillOfOperationsItem": 8,
    "OrderInternalBillOfOperations": 10,
    "MaterialDocumentItem": 4,
    "ManufacturingOrderItem": 4,
}
_COMPARED = re.compile(rf"\b({'|'.join(WIDTHS)})(\s+(?:eq|ne|gt|ge|lt|le)\s+)'(\d+)'")


class Numbers:
    """Converts between the two forms, or leaves everything as it is."""

    def __init__(self, *, converted):
        self.converted = converted

    def inside(self, name, value):
        """Return a key or body value as the tables hold it."""
        digits = self.converted and name in WIDTHS and isinstance(value, str) and value.isdigit()
        return value.zfill(WIDTHS[name]) if digits else value

    def outside(self, name, value):
        """Return a table's value as the JSON shows it."""
        return value.lstrip("0") if self.converted and name in WIDTHS else value

    def filter(self, text):
        """Return `$filter` with its literals as the tables hold them."""
        if not self.converted:
            return text
        return _COMPARED.sub(lambda found: f"{found[1]}{found[2]}'{found[3].zfill(WIDTHS[found[1]])}'", text)
