#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles the C++ of the documents, without a warning.

usage: snippets.py SOURCE_ROOT COMPILER...
"""
import pathlib
import re
import subprocess
import sys


def unit_of(snippet):
    """A whole source: what is included stays outside of the function."""
    included = [line for line in snippet.splitlines() if line.startswith("#include")]
    rest = [line for line in snippet.splitlines() if not line.startswith("#include")]
    return "\n".join([*included, "int main() {", *rest, "}", ""])


def main():
    root, compiler = pathlib.Path(sys.argv[1]), sys.argv[2:]
    snippets = 0
    failed = False
    for path in sorted([*root.glob("*.md"), *root.glob("docs/**/*.md")]):
        for snippet in re.findall(r"^```cpp\n(.*?)^```", path.read_text(encoding="utf-8"),
                                  re.DOTALL | re.MULTILINE):
            snippets += 1
            done = subprocess.run([*compiler, "-x", "c++", "-"], input=unit_of(snippet), text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            name = f"snippet {snippets}: {path.relative_to(root)}"
            print(f"ok: {name}" if done.returncode == 0 else f"FAILED: {name}\n{done.stdout}")
            failed = failed or done.returncode != 0
    if not snippets:
        print("FAILED: no snippet found at all")
    return 1 if failed or not snippets else 0


if __name__ == "__main__":
    sys.exit(main())
