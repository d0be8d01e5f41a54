"""TLS: the files that both protocols take their keys from."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tidegate._core.files import existing_file
from tidegate.errors import SpecError

__all__ = ["Tls"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tls:
    """A certificate, its key, and whose clients are taken.

    Parameters
    ----------
    certificate, key
        PEM files: the chain of the server, and its private key without a passphrase.
    clients
        PEM file of those who sign the certificates that clients must show; ``None`` takes any client.

    Raises
    ------
    SpecError
        If one of certificate and key is given without the other.
    MissingFileError
        If a file is not there.
    """

    certificate: Path
    key: Path
    clients: Path | None = None

    def __post_init__(self) -> None:
        for path, what in ((self.certificate, "certificate"), (self.key, "key"), (self.clients, "certificate")):
            if path is not None:
                existing_file(path, what=what)

    @classmethod
    def of(cls, certificate: Path | None, key: Path | None, clients: Path | None) -> Tls | None:
        """Read what was asked for; ``None`` where nothing was."""
        if certificate is None and key is None and clients is None:
            return None
        if certificate is None or key is None:
            raise SpecError("TLS needs both --tls-certificate and --tls-key")
        return cls(certificate=certificate, key=key, clients=clients)
