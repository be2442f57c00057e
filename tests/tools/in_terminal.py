#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command in a terminal of so many columns, and copies what it shows there to standard output.

usage: in_terminal.py COLUMNS TERM COMMAND...
"""
import fcntl
import os
import pty
import struct
import sys
import termios


def main():
    columns, term, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = os.fork()
    if child == 0:
        os.setsid()
        for fd in range(3):
            os.dup2(theirs, fd)
        os.execvpe(command[0], command, {**os.environ, "TERM": term})
    os.close(theirs)
    while True:
        try:
            shown = os.read(ours, 4096)
        except OSError:  # Nobody has it open any more.
            break
        if not shown:
            break
        sys.stdout.buffer.write(shown)
    sys.stdout.flush()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
