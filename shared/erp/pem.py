"""PEM text from the vault: the key and certificate in it. Imports `cryptography` only when asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)


def private_key(pem: str) -> PrivateKeyTypes:
    """Return the private key in `pem`.

    Raises:
        ConfigurationError: there is none, or it cannot be read (a password protects it, say).
    """
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        return load_pem_private_key(_block(pem, "PRIVATE KEY"), password=None)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"the private key in the vault cannot be read: {error}") from None


def certificate(pem: str) -> Certificate:
    """Return the first certificate in `pem`.

    Raises:
        ConfigurationError: there is none, or it cannot be read.
    """
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415

    try:
        return load_pem_x509_certificate(_block(pem, "CERTIFICATE"))
    except ValueError as error:
        raise ConfigurationError(f"the certificate in the vault cannot be read: {error}") from None


def plain(pem: str) -> str:
    r"""Return `pem` with its line breaks: environment variables often carry them as `\n`."""
    return pem.replace("\\n", "\n")


def _block(pem: str, kind: str) -> bytes:
    for block in BLOCK.finditer(plain(pem)):
        if block[1].endswith(kind):
            return block[0].encode()
    raise ConfigurationError(f"the vault's text has no -----BEGIN {kind}----- block")
