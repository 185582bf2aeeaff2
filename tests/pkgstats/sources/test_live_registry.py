"""Three packages of the registry that npm on this machine is set to: skipped where there is none.

One packument and one tarball each, as slowly as any crawler: nothing else here leaves the machine.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pkgstats.records.blocks import split_blocks
from pkgstats.sources import facts
from pkgstats.sources.addresses import find_addresses
from pkgstats.sources.client import Client
from pkgstats.sources.errors import AddressError, BusyError, StatusError, UnreachableError
from pkgstats.sources.registry import Registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    try:
        addresses = find_addresses(folder=Path(tempfile.gettempdir()))
    except AddressError as error:
        pytest.skip(f"no registry on this machine: {error}")
    async with Client(patience_s=1.0, silence_s=10.0) as client:
        yield Registry(client, addresses)


@pytest.mark.parametrize("name", ["hypermultifeed", "left-pad", "@types/node"])
async def test_a_package_becomes_records(registry: Registry, name: str) -> None:
    try:
        document = await registry.packument(name)
        manifest = facts.latest_manifest(document)
        tarball = await registry.tarball(manifest)
    except (UnreachableError, BusyError) as error:
        pytest.skip(f"the registry does not answer: {error}")
    except StatusError as error:
        if error.status != 404 and error.status < 500 and error.status not in {401, 403, 429}:
            raise
        pytest.skip(f"the registry has no {name} for us: {error}")
    snapshot = facts.snapshot(document, tarball=tarball)
    events = list(facts.version_events(document))
    assert (snapshot.name, snapshot.version) == (name, manifest["version"])
    assert manifest["version"] in {event.version for event in events}
    assert snapshot.unpacked
    assert snapshot.integrity
    assert tarball.manifest["version"] == snapshot.version
    assert tarball.readme
    assert sum(map(len, split_blocks([snapshot, *events])))
