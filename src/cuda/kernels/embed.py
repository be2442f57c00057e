#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes a C++ file that holds PTX as text, and what made it.

embed.py OUTPUT NAMESPACE NAME,NAME... FILE...
"""
import re
import sys


def literal(text):
    lines = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").splitlines()
    return "".join(f'\n    "{line}\\n"' for line in lines)


def found(pattern, text):
    match = re.search(pattern, text)
    return match.group(1) if match else "of an unknown version"


def main():
    output, namespace, names, *paths = sys.argv[1:]
    texts = [open(path, encoding="utf-8").read() for path in paths]
    capability = found(r"\.target sm_(\d+)", texts[0])
    strings = {
        "kMadeByCuda": f'"{found(r"release ([0-9.]+)", texts[0])}"',
        "kMadeForCompute": f'"{capability[:-1]}.{capability[-1]}"',
        **dict(zip(names.split(","), map(literal, texts), strict=True)),
    }
    with open(output, "w", encoding="utf-8") as out:
        out.write(f"// Made by embed.py.\nnamespace {namespace} {{\n")
        for name, value in strings.items():
            # Declared first, for a constant is else not seen from outside.
            out.write(f"extern const char {name}[];\nconst char {name}[] = {value};\n")
        out.write(f"}}  // namespace {namespace}\n")


if __name__ == "__main__":
    main()
