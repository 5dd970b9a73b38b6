"""One finished run of each modality, shared by all tests."""

from pathlib import Path

import pytest

from tests.runs import run_tiny
from tests.short import RUNS, in_short


@pytest.fixture(scope="session", params=in_short(["image", "text"], RUNS))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def finished(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / kind
    assert run_tiny(kind, folder) == 0
    return folder
