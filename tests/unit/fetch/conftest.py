"""The misbehaving server, without proxies and long pauses."""

from collections.abc import Iterator

import pytest
from loopback import Site

from cryoglean.fetch import server


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A fresh server."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "CRYOGLEAN_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(server, "BACKOFF_SECONDS", 0.01)
    found = Site()
    yield found
    found.close()
