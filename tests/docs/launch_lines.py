#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs every launch line of the documents and of the elements' own pages, bounded.

A line is a command of gst-launch-1.0 or of lockstep in a fenced `sh` block, or in |[ ... ]| in a
source file. It is run as written, but for a few frames, into no window, and in a folder of its own.

usage: launch_lines.py SOURCE_ROOT LOCKSTEP
"""

import ctypes
import pathlib
import re
import subprocess
import sys
import tempfile

NUM_BUFFERS = 20
LIMIT_S = 120
WINDOWS = re.compile(r"\b(autovideosink|xvimagesink|ximagesink|glimagesink|waylandsink)\b")
OPTIONS = re.compile(r"^gst-launch-1\.0\s+(-\S+\s+)*")


def blocks_of(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"\|\[(.*?)\]\|", text, re.DOTALL)
    return [re.sub(r"^ \* ?", "", block, flags=re.MULTILINE) for block in blocks]


def lines_of(path):
    for block in blocks_of(path):
        # A line goes on after a backslash, and on the elements' pages after a "!".
        for line in re.sub(r"\s*\\\n\s*|(?<=!)\n\s*", " ", block).splitlines():
            line = re.sub(r"\s+#.*$", "", line).strip()
            if re.match(r"(gst-launch-1\.0|lockstep) ", line):
                yield line


def bounded(line, lockstep):
    if line.startswith("lockstep "):
        if re.match(r"lockstep (record|light)\b", line):
            # On the virtual clock nothing is lost on a slow machine, so that verify may follow.
            line = re.sub(r"\s--(duration|batches)[ =]\S+", "", line)
            line += f" --batches {NUM_BUFFERS}"
            if "--sensors" not in line:
                line += " --sensors 'sim?realtime=false'" + ("" if " -n " in line else " -n 4")
        # A camera ends when it is interrupted, and that is no error.
        until = "timeout --signal=INT --preserve-status 3 " if "lockstep camera " in line else ""
        return until + str(lockstep) + line.removeprefix("lockstep")
    line = re.sub(r"num-buffers=\d+", f"num-buffers={NUM_BUFFERS}", line)
    if "num-buffers=" not in line:
        line = line.replace("lockstepsrc", f"lockstepsrc num-buffers={NUM_BUFFERS}", 1)
    return WINDOWS.sub("fakesink", line)


def elements_of(line):
    first_words = (part.split()[0] for part in OPTIONS.sub("", line).split("!"))
    return [word for word in first_words if re.fullmatch(r"[a-z][a-z0-9_]*", word)]


def has_gpu():
    try:
        return ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
    except OSError:
        return False


def reason_to_skip(line):
    if "/dev/video" in line:
        return "needs cameras; the virtual machine's tests have some"
    if line.startswith("lockstep camera") and not has_gpu():
        return "needs an NVIDIA GPU; scripts/test-gpu runs cameras where there is one"
    if line.startswith("lockstep bench"):
        return "takes minutes; the benchmarks are run by hand"
    if line.startswith("gst-launch"):
        for element in elements_of(line):
            known = subprocess.run(["gst-inspect-1.0", "--exists", element], check=False)
            if known.returncode != 0 and not element.startswith("lockstep"):
                return f"GStreamer has no {element} here"
    return None


def run(line, lockstep, folder):
    """What went wrong; nothing if nothing did. Lines of lockstep share a folder: verify reads what
    record wrote."""
    if line.startswith("gst-launch"):
        folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
    try:
        done = subprocess.run(["bash", "-c", bounded(line, lockstep)], cwd=folder, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return f"did not end within {LIMIT_S} s"
    if done.returncode != 0:
        return f"exit status {done.returncode}\n{done.stdout}"
    location = re.search(r"filesink location=(\S+)", line)
    if location and (folder / location[1]).stat().st_size == 0:
        return f"{location[1]} is empty"
    return None


def main():
    root, lockstep = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    documents = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("gst/**/*.c"),
                 *root.glob("gst/**/*.cpp")]
    failed = False
    seen = set()
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(documents):
            for line in lines_of(path):
                if line in seen:
                    continue
                seen.add(line)
                name = f"{path.relative_to(root)}: {line}"
                reason = reason_to_skip(line)
                if reason:
                    print(f"skipped: {name} ({reason})", flush=True)
                    continue
                trouble = run(line, lockstep, pathlib.Path(folder))
                print(f"FAILED: {name}\n{trouble}" if trouble else f"ok: {name}", flush=True)
                failed = failed or trouble is not None
    if not seen:
        print("FAILED: no launch line found at all")
    return 1 if failed or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
