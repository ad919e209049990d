# SPDX-License-Identifier: Apache-2.0
"""Fetch the LibTorch inside a torch wheel: python3 fetch_libtorch.py VERSION FOLDER.

FOLDER/torch gets include, lib and share of the wheel; a CUDA wheel's runtime packages go to FOLDER/nvidia, where
its libraries look for them. FOLDER appears whole or not at all, and of two builds that fetch at the same time the
second waits for the first.
"""
import fcntl
import os
import re
import shutil
import subprocess
import sys
import zipfile

# LibTorch's libraries do not depend on the Python version, so one wheel serves every python3.
PYTHON_VERSION = "3.11"
PYTHON_ONLY = re.compile(r"torch/lib/(libtorch_python|libshm)")


def pip_download(folder, *arguments):
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
         "--python-version", PYTHON_VERSION, "--only-binary=:all:", "--dest", folder, *arguments],
        check=True)
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".whl")]


def unpack(wheel, folder, wanted):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if wanted(name):
                archive.extract(name, folder)


def cuda_requirements(wheel):
    """Requirements of the wheel that are CUDA runtime packages, e.g. 'nvidia-cudnn-cu13==9.1; platform_system == ...'."""
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(metadata).decode("utf-8").splitlines()
    requirements = [line.split(":", 1)[1].strip() for line in lines if line.startswith("Requires-Dist:")]
    return [r for r in requirements if re.match(r"(nvidia-|cuda-toolkit)", r) and "extra ==" not in r]


def fetch(version, root):
    # Beside the final place, since a rename must not cross file systems. The lock makes one name enough, and what a
    # killed build left there goes now.
    work = root + ".partial"
    shutil.rmtree(work, ignore_errors=True)
    try:
        wheels = os.path.join(work, "wheels")
        result = os.path.join(work, "result")
        os.makedirs(wheels)
        os.makedirs(result)
        wheel, = pip_download(wheels, "--no-deps", f"torch=={version}")
        unpack(wheel, result, lambda name: (re.match(r"torch/(include|lib|share)/|torch\.libs/|.*\.dist-info/", name)
                                            and not PYTHON_ONLY.match(name)))
        requirements = cuda_requirements(wheel)
        os.remove(wheel)
        if requirements:
            for runtime in pip_download(wheels, *requirements):
                unpack(runtime, result, lambda name: name.startswith("nvidia/"))
                os.remove(runtime)
        os.rename(result, root)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def main():
    version, root = sys.argv[1], os.path.abspath(sys.argv[2])
    os.makedirs(os.path.dirname(root), exist_ok=True)
    with open(root + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(os.path.join(root, "torch")):
            fetch(version, root)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as failure:
        sys.exit(f"fetch_libtorch: pip failed with exit code {failure.returncode}")
    except OSError as failure:
        sys.exit(f"fetch_libtorch: {failure}")
