"""NetSuite with token-based authentication (OAuth 1.0a): the overlay that netsuite.md shows."""

from dataclasses import replace
from pathlib import Path

from shared.profiles.loader import SHIPPED
from tests.profiles.subjects import netsuite

OVERLAY = Path(__file__).with_suffix(".yaml")


def settings(erp):
    signed = {"account": erp.account, "consumer_key": erp.tokens.consumer_key, "token": erp.tokens.token_id}
    dropped = ("client_id", "certificate_id")
    return signed | {name: value for name, value in netsuite.settings(erp).items() if name not in dropped}


SUBJECT = replace(
    netsuite.SUBJECT,
    profile=str(OVERLAY),
    settings=settings,
    secrets=lambda erp: {
        "consumer_secret": erp.tokens.consumer_secret,
        "token_secret": erp.tokens.token_secret,
    },
    checklist_file=SHIPPED / "netsuite.checklist.yaml",
)
