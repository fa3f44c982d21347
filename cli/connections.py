"""`connections check`: one cheap call to every configured ERP, with the credentials the app would use."""

from datetime import UTC, datetime

from shared import settings as settings_module
from shared.erp.engine import build
from shared.errors import ConfigurationError
from shared.profiles.loader import load_profile
from shared.secrets import vault
from shared.settings import ConnectionSettings


async def check() -> int:
    """Probe every connection the environment names and print what came of it; 0 when all work, else 1.

    Raises:
        ConfigurationError: the settings as a whole cannot be read.
    """
    settings = settings_module.load()
    if not settings.connections:
        print("no connection is configured: TASCUS_CONNECTIONS names a file or holds the list")
        return 1
    faults = [await _fault(entry, settings.key_vault_url) for entry in settings.connections]
    for entry, fault in zip(settings.connections, faults, strict=True):
        print(f"{'✗' if fault else '✓'} {entry.name} ({entry.profile}): {fault or 'answers'}")
    return 1 if any(faults) else 0


async def _fault(entry: ConnectionSettings, key_vault_url: str) -> str | None:
    """What is wrong with a connection, in words."""
    try:
        profile = load_profile(entry.profile)
        erp = build(profile, entry.settings, vault(key_vault_url), lambda: datetime.now(UTC))
        try:
            return await erp.probe()
        finally:
            await erp.close()
    except ConfigurationError as error:
        return str(error)
