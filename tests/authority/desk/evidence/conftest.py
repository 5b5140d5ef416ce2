"""A folder and a real S3 server; what holds of evidence holds on both."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import s3fs

from tests.authority.desk.evidence.house import House, house
from tests.tools import free_ports, wait_for

BUCKET = "evidence"


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of a server that speaks S3, in a process of its own, with a bucket."""
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    with (
        pytest.MonkeyPatch.context() as patch,
        subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as server,
    ):
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }.items():  # fmt: skip
            patch.setenv(name, value)
        try:
            wait_for(lambda: _answers(address), "the S3 server answers")
            system(address).mkdir(BUCKET)
            yield address
        finally:
            server.kill()


def system(address: str) -> s3fs.S3FileSystem:
    """The store as somebody else sees it."""
    return s3fs.S3FileSystem(endpoint_url=address, skip_instance_cache=True, use_listings_cache=False)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    """A desk whose evidence is in a folder."""
    made = house(tmp_path)
    yield made
    made.desk.close()


@pytest.fixture(params=["folder", "s3"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """A desk whose evidence is in a folder, and one whose evidence is in S3."""
    where = () if request.param == "folder" else (f"s3://{BUCKET}/{tmp_path.name}", request.getfixturevalue("s3"))
    made = house(tmp_path, *where)
    yield made
    made.desk.close()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/moto-api/", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
