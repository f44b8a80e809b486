"""Files that appear whole or not at all, and progress bars."""

import errno
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from spacy_seqmix.annotation.docbins import write_docs
from spacy_seqmix.files import (
    check_output,
    progress_bar,
    replacing,
    replacing_folder,
)

WAYS = pytest.mark.parametrize("way", [replacing, replacing_folder])


def write(way, temporary):
    (temporary if way is replacing else temporary / "part").write_text("new")


def read(path):
    return (path / "part" if path.is_dir() else path).read_text()


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("total", [None, 2])
@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_progress_bar_is_for_terminals(monkeypatch, total, kind):
    stream = kind()
    monkeypatch.setattr("sys.stderr", stream)
    with progress_bar(total, "Reading") as bar:
        bar.update()
    with progress_bar(total, "Hidden", shown=False):
        pass
    assert ("Reading" in stream.getvalue()) == (kind is Terminal)
    assert "Hidden" not in stream.getvalue()


def test_progress_bar_ticks_during_a_long_step(monkeypatch):
    monkeypatch.setattr("sys.stderr", Terminal())
    ticked = Event()
    with progress_bar(None, "Loading") as bar:
        monkeypatch.setattr(bar, "refresh", ticked.set)
        assert ticked.wait(30)


KILLED_FORK = """
import os, signal
from threading import Event, Thread
from spacy_seqmix.files import ProgressBar, progress_bar

with progress_bar(2, "Before", shown=False):
    pass
pid = os.fork()
if pid == 0:
    signal.alarm(60)  # a fork that hangs outlives this process
    with ProgressBar.get_lock():
        os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(pid, 0)
with progress_bar(2, "After", shown=False):
    print("made", flush=True)

taken, done = Event(), Event()

def hold():
    with ProgressBar.get_lock():
        taken.set()
        done.wait()

holder = Thread(target=hold)
holder.start()
taken.wait()
pid = os.fork()
if pid == 0:
    signal.alarm(60)
    with progress_bar(2, "In a fork", shown=False):
        print("made", flush=True)
    os._exit(0)
os.waitpid(pid, 0)
done.set()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks on this system")
def test_bars_of_forks_do_not_wait_for_each_other():
    """One is killed while it makes a bar, another begins while a thread draws one."""
    command = [sys.executable, "-W", "ignore", "-c", KILLED_FORK]
    assert subprocess.check_output(command, text=True, timeout=180) == "made\n" * 2


@WAYS
def test_replacing_has_one_name_for_each_writer(way, tmp_path):
    path = tmp_path / "out"
    with way(path) as one, way(path) as other:
        assert one != other
        assert {one.parent, other.parent} == {tmp_path}
        write(way, one)
        write(way, other)
    assert [file.name for file in tmp_path.iterdir()] == ["out"]
    assert read(path) == "new"


@WAYS
def test_replacing_takes_the_longest_name(way, tmp_path):
    path = tmp_path / ("n" * 255)
    with way(path) as temporary:
        write(way, temporary)
    assert read(path) == "new"


@WAYS
def test_replacing_keeps_a_link(way, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "out").symlink_to(tmp_path / "there")
    with way(tmp_path / "here" / "out") as temporary:
        write(way, temporary)
    assert (tmp_path / "here" / "out").is_symlink()
    assert read(tmp_path / "there") == "new"


def test_replacing_follows_no_link_that_lies_there(tmp_path, monkeypatch):
    names = iter(["planted", "free"])
    monkeypatch.setattr("secrets.token_hex", lambda n: next(names))
    (tmp_path / ".seqmix-planted.tmp").symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError), replacing(tmp_path / "out") as temporary:
        write(replacing, temporary)
    assert not (tmp_path / "victim").exists()


def test_replacing_gives_the_mode_of_the_umask(tmp_path):
    (tmp_path / "usual").touch()
    write_docs([], tmp_path / "out")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "usual").stat().st_mode


KILLED = """
import os, signal, sys
from pathlib import Path
from spacy_seqmix import files
with getattr(files, sys.argv[1])(Path(sys.argv[2])) as temporary:
    os.kill(os.getpid(), signal.SIGKILL)
"""


@WAYS
def test_replacing_removes_what_killed_processes_left(way, tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, way.__name__, tmp_path / "out"])
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    with way(tmp_path / "other") as temporary:
        assert [file.name for file in tmp_path.iterdir()] == [temporary.name]
        write(way, temporary)
    assert [file.name for file in tmp_path.iterdir()] == ["other"]


@WAYS
def test_replacing_names_the_file_where_the_system_does_not(way, tmp_path):
    path = tmp_path / "out"
    with pytest.raises(OSError, match=r"\[Errno 28\] No space left.*out'$"), way(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    path.touch()
    with pytest.raises(FileExistsError, match=r"out'$"), way(path / "part"):
        pass


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to", None])
def test_check_output_knows_an_input_by_any_name(link, tmp_path):
    path, other = tmp_path / "in.spacy", tmp_path / "other.spacy"
    path.touch()
    if link is not None:
        getattr(other, link)(path)
    named = other if link else tmp_path / "no" / ".." / "in.spacy"
    for given in (path, named):
        with pytest.raises(ValueError, match="S549"):
            check_output(given, [path])
    check_output(tmp_path / "new.spacy", [path, tmp_path / "missing.spacy"])


@WAYS
def test_replacing_tries_again_where_its_new_file_is_taken_for_a_left_over(
    way, tmp_path, monkeypatch
):
    opened, names = os.open, []

    def remove_first(path, *args):
        if ".seqmix-" in str(path) and not names and os.path.exists(path):
            names.append(path)
            (os.rmdir if Path(path).is_dir() else os.unlink)(path)
        return opened(path, *args)

    monkeypatch.setattr("os.open", remove_first)
    with way(tmp_path / "out") as temporary:
        assert names not in ([], [temporary])
        write(way, temporary)
    assert read(tmp_path / "out") == "new"


def test_replacing_a_folder_leaves_nothing_of_the_old_one(tmp_path):
    for text in ("old", "new"):
        with replacing_folder(tmp_path / "out") as temporary:
            (temporary / text).touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "new"]
