"""Stands in for the loop: writes the files that the page reads, and serves a page over them."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import spacy
import uvicorn
from spacy.language import Language
from spacy.tokens import Doc

from spacy_seqmix.active.answers import AnswerFile
from spacy_seqmix.active.asked import Asked, AskedHeader, AskedText, Status
from spacy_seqmix.annotate.page.app import make_app
from spacy_seqmix.annotate.page.desk import Desk
from spacy_seqmix.annotate.page.labels import update_labels
from spacy_seqmix.annotate.page.progress import Progress
from spacy_seqmix.annotate.page.rows import PageAnswer, now_utc
from spacy_seqmix.annotate.training import Training
from spacy_seqmix.annotation.texts import task_key
from spacy_seqmix.types import Suggestion, Task

TOKEN = "a-secret-of-the-link"
TEXTS = (
    "Mara Quill flew from Port Elder to Oslo.",
    "Nobody came.",
    "The Harbour Trust hired Peter Novak 👩‍🚀 in Turin.",
    "Ana Lunt left Geneva.",
    "Rain stopped the match.",
    "Leeds Rovers beat Inter Cadiz.",
)


class FakeLoop:
    """A run folder with tasks, of which the first ``n`` are asked and the rest is the reserve."""

    def __init__(
        self,
        run_dir: Path,
        texts: Sequence[str] = TEXTS,
        *,
        labels: Sequence[str] = ("PER", "ORG", "LOC"),
        n: int | None = None,
        lang: str = "en",
    ) -> None:
        self.run_dir, self.texts, self.nlp = run_dir, list(texts), spacy.blank(lang)
        self.n = len(texts) if n is None else n
        (run_dir / "page").mkdir(parents=True, exist_ok=True)
        update_labels(run_dir / "page" / "labels.json", labels, now_utc())
        self.file = AnswerFile(run_dir / "page" / "answers.jsonl", PageAnswer)
        self.ask()

    def ask(
        self,
        *,
        round_: int = 0,
        suggest: dict[str, tuple[str, float | None]] | None = None,
        numbers: Sequence[int] | None = None,
    ) -> None:
        """Write asked.jsonl. suggest: label and confidence of each phrase that is suggested."""
        lines = []
        for place, number in enumerate(range(len(self.texts)) if numbers is None else numbers):
            doc = self.nlp.make_doc(self.texts[number])
            found = None if suggest is None else tuple(suggestions(doc, suggest))
            task = Task(task_key(number, doc.text), doc, round_, found, 0.5, f"round-{round_:02d}")
            lines.append(AskedText.of(task, number, dev=False, reserve=place >= self.n))
        header = AskedHeader(
            round=round_,
            n=min(self.n, len(lines)),
            policy="spacy-seqmix.NTE.v1" if round_ else "random",
            model=f"round-{round_ - 1:02d}" if round_ else None,
            pool=len(self.texts),
        )
        Asked(header, tuple(lines)).write(self.run_dir / "asked.jsonl")
        self.status("wait", round_)

    def status(self, phase: str, round_: int = 0) -> None:
        """Write status.json."""
        Status.write(self.run_dir / "status.json", round_, phase)

    def journal(self, *rows: dict[str, object]) -> None:
        """Write finished rounds."""
        base = {"queried": [], "n_mixed": 0, "steps": 2, "seconds": {"train": 2.0}}
        lines = [json.dumps({**base, "round": i, **row}) for i, row in enumerate(rows)]
        (self.run_dir / "journal.jsonl").write_text("\n".join([*lines, ""]), "utf8")

    def key(self, number: int) -> str:
        """The key of a text."""
        return task_key(number, self.texts[number])

    def desk(self, **options: object) -> Desk:
        """A desk over the folder."""
        return Desk(self.run_dir, **options)  # type: ignore[arg-type]

    def answers(self) -> list[PageAnswer]:
        """Every line of the page's file."""
        return self.file.lines()

    def given(self) -> dict[str, list[tuple[str, str]]]:
        """The entities of the last answer to each text: words and label."""
        return {
            answer.text: [(answer.text[s.start : s.end], s.label) for s in answer.spans]
            for answer in self.file.read().values()
            if not answer.skipped
        }

    @contextmanager
    def served(
        self,
        desk: Desk | None = None,
        training: Training | None = None,
        name: str = "fake",
        port: int = 0,
    ) -> Iterator[str]:
        """Serve the page in a thread, at a free port if it is 0. YIELDS (str): its link."""
        desk = self.desk() if desk is None else desk
        progress = Progress(self.run_dir, desk, identity=name, title="texts.txt")
        app = make_app(desk, progress, training, token=TOKEN, name=name)
        listener = socket.create_server(("127.0.0.1", port))
        config = uvicorn.Config(app, log_level="error", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/?token={TOKEN}"
        finally:
            server.should_exit = True
            thread.join()
            listener.close()


def suggestions(doc: Doc, phrases: dict[str, tuple[str, float | None]]) -> list[Suggestion]:
    """What a model would suggest that knows these phrases."""
    found = []
    for phrase, (label, confidence) in phrases.items():
        start = doc.text.find(phrase)
        span = doc.char_span(start, start + len(phrase)) if start >= 0 else None
        if span is not None:
            found.append(Suggestion(span.start, span.end, label, confidence))
    return sorted(found, key=lambda one: one.start)


def blank(lang: str = "en") -> Language:
    """A pipeline that only splits texts."""
    return spacy.blank(lang)
