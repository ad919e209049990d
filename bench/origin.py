# SPDX-License-Identifier: Apache-2.0
"""What a result says about where it comes from: the checkout and the processor."""

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def commit(digits):
    return git("rev-parse", f"--short={digits}", "HEAD")


def changed():
    """Say whether anything but results differs from the commit."""
    return bool(git("status", "--porcelain", "--", ".", ":!bench/results"))


def processor():
    """Return its name, and whether it has instructions for bf16."""
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    return re.search(r"model name\s*: (.*)", cpuinfo).group(1).strip(), "avx512_bf16" in cpuinfo
