#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lists what the tests of several builds did and ends with "N passed, N failed, N skipped".

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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", nargs="*", metavar="LABEL=TESTLOG")
    parser.add_argument("--broken", action="append", default=[], metavar="LABEL",
                        help="a build that did not compile; counts as failed")
    arguments = parser.parse_args()
    counts = {"ok": 0, "FAILED": 0, "skipped": 0}

    def tell(word, name, reason=""):
        counts[word] += 1
        print(f"{word:<8}{name}" + (f"  ({reason})" if reason else ""))

    for label in arguments.broken:
        tell("FAILED", f"{label}: does not compile")
    for argument in arguments.logs:
        label, _, path = argument.partition("=")
        with open(path, encoding="utf-8") as log:
            for test in map(json.loads, log):
                name = test["name"].split(":", 1)[-1].replace(" / ", "/")
                for word, case, reason in cases_of(test):
                    tell(word, f"{label}: {name}: {case}", reason)
    print(f"{counts['ok']} passed, {counts['FAILED']} failed, {counts['skipped']} skipped")
    return 1 if counts["FAILED"] or not counts["ok"] else 0


if __name__ == "__main__":
    sys.exit(main())
