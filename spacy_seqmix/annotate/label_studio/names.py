"""Names that several parts share, and the command line, which is imported often."""

from __future__ import annotations

__all__ = ["FOLDER", "NUDGED", "STATE", "TOKEN_ENV"]

# The folder of the oracle and the backend in a run, the file in it whose time changes when people
# have done something, and the file that names the project.
FOLDER, NUDGED, STATE = "label-studio", "nudged", "project.json"
# The environment variable that has the token, unless another one is named.
TOKEN_ENV = "LABEL_STUDIO_TOKEN"
