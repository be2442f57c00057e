#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lists what the tests of several builds did and how long each stage took, repeats what failed with
its output, and ends with "N passed, N failed, N skipped".

Reads Meson's testlog.json. A GoogleTest program counts by its cases, a script by its lines that
begin with "ok: ", "FAILED: " or "skipped: ", anything else as one test.
"""

import argparse
import json
import re
import sys

GTEST_RESULT = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] (\w\S*\.\S+?)(,.*)?( \(\d+ ms\))?$")
GTEST_START = re.compile(r"^\[ RUN +\] ")
SCRIPT_RESULT = re.compile(r"^(ok|FAILED|skipped): (.+)$")
OUTPUT_LINES = 60  # Of each failure at the end.
WORDS = {"OK": "ok", "ok": "ok", "FAILED": "FAILED", "SKIPPED": "skipped", "skipped": "skipped"}


def gtest_cases(output):
    """(word, name, reason) of each case; the summary at the end repeats some, which count once."""
    cases = {}
    since_start = []
    for line in output.splitlines():
        match = GTEST_RESULT.match(line)
        if match:
            if match[2] not in cases:
                reason = " ".join(filter(None, since_start)) if match[1] == "SKIPPED" else ""
                cases[match[2]] = (WORDS[match[1]], match[2], reason)
        elif GTEST_START.match(line):
            since_start = []
        elif not line.endswith(": Skipped"):
            since_start.append(line.strip())
    return list(cases.values())


def script_cases(output):
    matches = (SCRIPT_RESULT.match(line) for line in output.splitlines())
    return [(WORDS[match[1]], match[2], "") for match in matches if match]


def cases_of(test):
    output = test.get("stdout") or ""
    cases = script_cases(output) or gtest_cases(output)
    result = test["result"]
    if result == "SKIP" and not any(word == "skipped" for word, _, _ in cases):
        reason = (output + (test.get("stderr") or "")).strip().splitlines()
        cases.append(("skipped", "all of it", reason[-1] if reason else ""))
    elif result not in ("OK", "SKIP", "EXPECTEDFAIL"):
        # A crash, a time-out or a leak at the end fails a program whose cases all passed.
        if not any(word == "FAILED" for word, _, _ in cases):
            cases.append(("FAILED", f"the program: {result.lower()}, "
                          f"exit status {test.get('returncode')}", ""))
    elif not cases:
        cases.append(("ok", "all of it", ""))
    return cases


def output_of(test, case):
    """What one case printed, or the end of what its program printed."""
    lines = (test.get("stdout") or "").splitlines()
    starts = [at for at, line in enumerate(lines) if GTEST_START.match(line) and line.split()[-1] == case]
    if starts:
        lines = lines[starts[0]:]
        ends = [at for at, line in enumerate(lines) if GTEST_RESULT.match(line)]
        lines = lines[:ends[0] + 1] if ends else lines
    return (lines + (test.get("stderr") or "").splitlines())[-OUTPUT_LINES:]


def clock(seconds):
    return f"{seconds // 60:4}:{seconds % 60:02}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", nargs="*", metavar="LABEL=TESTLOG")
    parser.add_argument("--broken", action="append", default=[], metavar="LABEL",
                        help="a build that did not compile; counts as failed")
    parser.add_argument("--stage", action="append", default=[], metavar="SECONDS:NAME")
    arguments = parser.parse_args()
    counts = {"ok": 0, "FAILED": 0, "skipped": 0}
    failures = []

    def report(word, name, reason="", output=()):
        counts[word] += 1
        line = f"{word:<8}{name}" + (f"  ({reason})" if reason else "")
        print(line)
        if word == "FAILED":
            failures.append((line, output))

    for label in arguments.broken:
        report("FAILED", f"{label}: does not compile")
    for argument in arguments.logs:
        label, _, path = argument.partition("=")
        with open(path, encoding="utf-8") as log:
            for test in map(json.loads, log):
                name = test["name"].split(":", 1)[-1].replace(" / ", "/")
                for word, case, reason in cases_of(test):
                    output = output_of(test, case) if word == "FAILED" else ()
                    report(word, f"{label}: {name}: {case}", reason, output)
    print()
    for stage in arguments.stage:
        seconds, _, name = stage.partition(":")
        print(f"{clock(int(seconds))}  {name}")
    for line, output in failures:
        print(f"\n{line}")
        for printed in output:
            print(f"    {printed}")
    print(f"{counts['ok']} passed, {counts['FAILED']} failed, {counts['skipped']} skipped")
    return 1 if counts["FAILED"] or not counts["ok"] else 0


if __name__ == "__main__":
    sys.exit(main())
