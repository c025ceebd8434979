"""Saving replaces a file whole or not at all, whatever goes wrong on the way."""

import errno
import os
import signal
import stat
import subprocess
import sys

import numpy as np
import pytest

from fastrec.errors import FastrecError, InputError
from fastrec.runtime import files
from fastrec.storage import container

posix_only = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")


@pytest.fixture
def old_file(tmp_path):
    path = tmp_path / "model.fastrec"
    path.write_bytes(b"old")
    return path


def run_python(code, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_new_file_replaces_the_old_one(old_file):
    with files.replacing(old_file) as file:
        file.write(b"new")
        assert old_file.read_bytes() == b"old"
    assert old_file.read_bytes() == b"new"


def test_no_temporary_file_is_left(old_file):
    with files.replacing(old_file) as file:
        file.write(b"new")
    assert os.listdir(old_file.parent) == [old_file.name]


@pytest.mark.parametrize("error", [RuntimeError("mine"), KeyboardInterrupt()])
def test_an_exception_leaves_the_old_file_and_no_other(old_file, error):
    def save():
        with files.replacing(old_file) as file:
            file.write(b"new")
            raise error

    with pytest.raises(type(error)):
        save()
    assert old_file.read_bytes() == b"old"
    assert os.listdir(old_file.parent) == [old_file.name]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_says_so(old_file, monkeypatch, step):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, step, full)
    with pytest.raises(FastrecError, match="No space left on device; the old file is unchanged"):
        container.write(old_file, {"a": np.zeros(100)}, {})
    assert old_file.read_bytes() == b"old"
    assert os.listdir(old_file.parent) == [old_file.name]


@posix_only
def test_a_write_that_fails_half_way_leaves_the_old_file(old_file):
    code = """
import resource, sys
import numpy as np
from fastrec.errors import FastrecError
from fastrec.storage import container
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    container.write(sys.argv[1], {"a": np.zeros(1_000_000)}, {})
except FastrecError as error:
    print(error)
"""
    output, errors = run_python(code, old_file).communicate()
    assert "could not write" in output, errors
    assert "the old file is unchanged" in output
    assert old_file.read_bytes() == b"old"
    assert os.listdir(old_file.parent) == [old_file.name]


@posix_only
def test_a_process_killed_while_saving_leaves_the_old_file(old_file):
    code = """
import os, signal, sys
import numpy as np
from fastrec.storage import container

def wait_for_the_end(descriptor):
    print("written", flush=True)
    signal.pause()

os.fsync = wait_for_the_end
container.write(sys.argv[1], {"a": np.zeros(1_000_000)}, {})
"""
    with run_python(code, old_file) as process:
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert old_file.read_bytes() == b"old"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="create it first"):
        container.write(tmp_path / "no" / "model", {}, {})


def test_a_folder_cannot_be_written_over(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        container.write(tmp_path, {}, {})


@posix_only
def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is a device, a pipe or a socket"):
        container.write(tmp_path / "pipe", {}, {})
    assert (tmp_path / "pipe").is_fifo()
    assert [entry.name for entry in tmp_path.iterdir()] == ["pipe"]


def test_a_folder_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="is a folder, expected a file"):
        container.read(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        container.read(tmp_path / "none")


@pytest.mark.parametrize("path", [None, 3, "", b"bytes"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(InputError, match="path must be a string"):
        container.read(path)


@posix_only
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read it")
def test_a_file_that_may_not_be_read_is_named(old_file):
    old_file.chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        container.read(old_file)


@posix_only
def test_the_file_behind_a_link_is_replaced(old_file, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(old_file)
    with files.replacing(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert old_file.read_bytes() == b"new"


@posix_only
def test_access_rights_of_the_old_file_stay(old_file):
    old_file.chmod(0o640)
    with files.replacing(old_file) as file:
        file.write(b"new")
    assert stat.S_IMODE(old_file.stat().st_mode) == 0o640
