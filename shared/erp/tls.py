"""Our own certificate towards the ERP (mutual TLS), from PEM text in the vault."""

from __future__ import annotations

import os
import ssl
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from shared.erp import pem
from shared.erp.aiohttp_wire import trusted
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator


def showing(text: str) -> ssl.SSLContext:
    """Return a context that trusts whom we trust anyway and shows the certificate in PEM `text`.

    Raises:
        ConfigurationError: the text does not hold a certificate with its key.
    """
    context = trusted()
    with _as_file(pem.plain(text)) as path:
        try:
            context.load_cert_chain(path)
        except ssl.SSLError as error:
            raise ConfigurationError(f"the certificate in the vault cannot be used: {error}") from None
    return context


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """Lend `text` as a file, because ssl takes nothing else: in memory where the system can, else briefly on disk."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("pem")
        try:
            os.write(handle, text.encode())
            yield f"/proc/self/fd/{handle}"
        finally:
            os.close(handle)
        return
    handle, path = tempfile.mkstemp()  # readable by us alone
    try:
        os.write(handle, text.encode())
        os.close(handle)
        yield path
    finally:
        Path(path).unlink()
