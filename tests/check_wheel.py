"""Run by `make package-check` in the folder of an unpacked wheel: is the wheel complete?"""

from __future__ import annotations

import sys
from importlib.metadata import distributions
from pathlib import Path

import spacy_seqmix

here = Path.cwd()
if not Path(spacy_seqmix.__file__).is_relative_to(here):
    sys.exit(f"imported from {spacy_seqmix.__file__}, not from the wheel")
(wheel,) = distributions(path=[str(here)], name="spacy-seqmix")
for entry in wheel.entry_points:
    entry.load()
for name in ("py.typed", "annotate/configs/cnn.cfg", "annotate/page/static/page.js"):
    if not (here / "spacy_seqmix" / name).exists():
        sys.exit(f"{name} is missing in the wheel")
print(f"wheel {wheel.version}: {len(wheel.entry_points)} entry points load")
