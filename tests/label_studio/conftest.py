"""A real Label Studio server, in a virtual environment and a folder of its own.

LABEL_STUDIO names the program; by default it is the one that `make label-studio` installs. The
first start makes the database, which takes a minute or two. LABEL_STUDIO_DATA names a folder that
keeps it from one run of the tests to the next.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from ..active.conftest import write_files as write_files

PROGRAM = Path(__file__).parents[2] / ".venv/label-studio/bin/label-studio"
ANN, BOB = "ann@example.org", "bob@example.org"
PASSWORD = "a long password 1"
TOKEN = "0123456789abcdef0123456789abcdef01234567"
SETTINGS = {
    "LABEL_STUDIO_USERNAME": ANN,
    "LABEL_STUDIO_PASSWORD": PASSWORD,
    "LABEL_STUDIO_USER_TOKEN": TOKEN,
    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
    "SSRF_PROTECTION_ENABLED": "false",
    "ML_BLOCK_LOCAL_IP": "false",
    "COLLECT_ANALYTICS": "false",
    "LATEST_VERSION_CHECK": "false",
}
START_SECONDS = 300.0


@dataclass
class LabelStudio:
    """The server, and its first user."""

    program: Path
    data: Path
    port: int
    tokens: dict[str, str] = field(default_factory=lambda: {ANN: TOKEN})
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        env = {**os.environ, **SETTINGS, "LABEL_STUDIO_BASE_DATA_DIR": str(self.data)}
        command = [self.program, "start", "--no-browser", "--internal-host", "127.0.0.1"]
        with (self.data / "server.txt").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port)], env=env, stdout=log, stderr=log
            )
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            try:
                if requests.get(f"{self.url}/api/version", timeout=5).ok:
                    return
            except requests.RequestException:
                time.sleep(0.2)
        raise TimeoutError((self.data / "server.txt").read_text()[-2000:])

    def stop(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def call(self, method: str, path: str, who: str = ANN, **given: Any) -> Any:
        """What a person's browser sends."""
        headers = {"Authorization": f"Token {self.tokens[who]}"}
        answer = requests.request(
            method, f"{self.url}/api/{path}", headers=headers, timeout=60, **given
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def add_person(self, who: str) -> None:
        """A second person signs up."""
        session = requests.Session()
        page = session.get(f"{self.url}/user/signup/", timeout=60).text
        (secret,) = set(re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page))
        given = {"csrfmiddlewaretoken": secret, "email": who, "password": PASSWORD}
        headers = {"Referer": self.url}
        done = session.post(f"{self.url}/user/signup/", data=given, headers=headers, timeout=60)
        done.raise_for_status()
        self.tokens[who] = session.get(f"{self.url}/api/current-user/token", timeout=60).json()[
            "token"
        ]


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudio]:
    """The server, with two people, Ann and Bob."""
    program = Path(os.environ.get("LABEL_STUDIO", PROGRAM))
    if not program.exists():
        pytest.skip("Label Studio is not installed: make label-studio")
    kept = os.environ.get("LABEL_STUDIO_DATA")
    data = tmp_path_factory.mktemp("label-studio")
    if kept is not None and Path(kept).exists():
        shutil.copytree(kept, data, dirs_exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = LabelStudio(program, data, port)
    try:
        server.start()
        if kept is not None and not Path(kept).exists():
            shutil.copytree(data, kept)
        server.add_person(BOB)
        yield server
    finally:
        server.stop()


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_TOKEN", TOKEN)
