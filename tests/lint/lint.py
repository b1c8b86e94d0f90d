#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the house is built as architecture and style say. Prints `file:line: rule: what` and exits 1.

    lint.py [--root DIR] [--headers-with COMPILE_COMMANDS_JSON]

Rules
    spdx       every source file carries its licence in the first three lines
    room       <microhttpd.h>, <libpq-fe.h>, <uv.h> and each library have their rooms
    layer      the planes never include each other; common includes only common; edges are known to the roots only
    pure       pure folders include no clock, socket or thread, and keep no variables of their own
    banned     functions that cannot be used safely
    sql        SQL lives in controlplane/store, dataplane/pg and migrations
    mark       unfinished work names its issue
    guard      include guards are named after the path, includes start at the root
    length     a file of more than 600 lines (800 in tests) holds a second idea
    machine    no path of somebody's machine
    migration  files of a migrations folder are numbered 0001, 0002, … without a gap and without a twin
    named      a test that a table of tests/unit/**/README.md names exists
    alone      every header compiles alone (only with --headers-with)

An exception is written on the line it is for, with its reason: `lint: allow RULE, because …`.
"""

import argparse
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys

# A system header and the only folders that may include it. Tests are outside these rules.
ROOMS = {
    "microhttpd.h": ["controlplane/http/"],
    "libpq-fe.h": ["controlplane/store/", "dataplane/pg/"],
    "uv.h": ["dataplane/uv/"],
}

# Our folder and what it may include of ours. The longest match of the including file decides.
LAYERS = {
    "common/base/": ["common/base/"],
    "common/": ["common/"],
    "controlplane/": ["common/", "controlplane/"],
    "controlplane/domain/": ["common/", "controlplane/domain/"],
    "controlplane/store/": ["common/", "controlplane/domain/", "controlplane/store/"],
    "controlplane/http/": ["common/", "controlplane/http/"],
    "controlplane/identity/": ["common/", "controlplane/domain/", "controlplane/identity/", "controlplane/store/"],
    "dataplane/": ["common/", "dataplane/"],
}

# Edges of the data plane: only these know them.
EDGES = ["dataplane/uv/", "dataplane/pg/"]
KNOWS_EDGES = re.compile(r"^(dataplane/(uv|pg)/|dataplane/(main|broker)[a-z_]*\.[ch]$|tests/)")

PURE = ["controlplane/domain/", "dataplane/partition/", "dataplane/group/", "dataplane/transaction/",
        "dataplane/replication/"]
PURE_FORBIDS = {"uv.h", "libpq-fe.h", "microhttpd.h", "time.h", "sys/time.h", "unistd.h", "pthread.h", "threads.h",
                "sys/socket.h", "stdatomic.h", "poll.h", "sys/epoll.h", "openssl/ssl.h"}

BANNED = ["strcpy", "strcat", "sprintf", "vsprintf", "strtok", "gets", "atoi", "atol", "atoll", "alloca", "strncpy",
          "strncat", "rand", "srand", "tmpnam", "mktemp", "system", "popen"]
BANNED_CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
GETENV_CALL = re.compile(r"(?<![\w.>])(?:secure_)?getenv\s*\(")
SQL_TEXT = re.compile(r'"\s*(SELECT\s.+\sFROM\s|SELECT\s+\w+\.\w+\(|INSERT\s+INTO\s|UPDATE\s+\w[\w.]*\s+SET\s|DELETE\s+FROM\s)')
MARK = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))")
MACHINE = re.compile(r"(?<![\w.])/(?:work|farm|root|home/\w+)/\w|/tmp/(?:slot|bash_jobs)")
MACHINE_ALLOWED = re.compile(r"^(tests/lint/|tests/support/dev/)")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# A definition or declaration of a mutable variable at file scope.
FILE_VARIABLE = re.compile(r"^(?:static\s+)?(?:_Thread_local\s+|_Atomic\s+|volatile\s+)*"
                           r"(?:struct\s+\w+|enum\s+\w+|unsigned(?:\s+\w+)?|\w+)(?:\s+|\s*\*+\s*)\w+(?:\[[^\]]*\])*\s*(?:=.*)?;?\s*$")
NOT_A_VARIABLE = re.compile(r"^(?:typedef|extern|struct\s+\w+\s*;|enum\s+\w+\s*;|union|return|goto|START_TEST|END_TEST|\}|#|\w+:$)"
                            r"|\bconst\b|\(|^\w+$")
MAX_LINES = 600
MAX_TEST_LINES = 800  # a table of cases is one idea, however long

SOURCE = re.compile(r"\.(c|h)$")
LICENSED = re.compile(r"\.(c|h|py|sh|sql|js|go|java|rs|cmake)$|(^|/)CMakeLists\.txt$|^dev$|^\.ci/run$"
                      r"|^tests/support/dev/[a-z]+$|^tests/clients/(run|kill_broker|kcat/scenario|go/library_tests)$")


def strip_comments(text, keep_strings):
    """Comments (and strings, unless kept) become spaces; newlines stay, so that lines keep their numbers."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match):
        token = match.group(0)
        if token[0] in "\"'" and keep_strings:
            return token
        return re.sub(r"[^\n]", " ", token)

    return pattern.sub(blank, text)


class Lint:
    def __init__(self, root):
        self.root = root
        self.complaints = []
        self.lines = []

    def complain(self, path, number, rule, what):
        line = self.lines[number - 1] if 0 < number <= len(self.lines) else ""
        if re.search(rf"lint: allow {rule}, because \w", line):
            return
        self.complaints.append(f"{path}:{number}: {rule}: {what}")

    def check_file(self, path):
        try:
            with open(os.path.join(self.root, path), encoding="utf-8") as file:
                text = file.read()
        except UnicodeDecodeError:
            return
        self.lines = text.split("\n")
        if LICENSED.search(path) and not any("SPDX-License-Identifier: Apache-2.0" in line for line in self.lines[:3]):
            self.complain(path, 1, "spdx", "the first lines carry no `SPDX-License-Identifier: Apache-2.0`")
        if not MACHINE_ALLOWED.match(path):
            self.each_match(path, MACHINE, self.lines, "machine", "a path of one machine")
        if SOURCE.search(path):
            self.check_source(path, text)

    def each_match(self, path, pattern, lines, rule, what):
        for number, line in enumerate(lines, 1):
            match = pattern.search(line)
            if match:
                self.complain(path, number, rule, f"{what}: {match.group(0).strip()}")

    def check_source(self, path, text):
        code = strip_comments(text, keep_strings=False).split("\n")
        with_strings = strip_comments(text, keep_strings=True).split("\n")

        self.each_match(path, MARK, self.lines, "mark", "unfinished work needs an issue, TODO(#12)")
        self.each_match(path, BANNED_CALL, code, "banned", "never to be called")
        if not path.startswith(("common/config/", "tests/")):
            self.each_match(path, GETENV_CALL, code, "banned", "configuration comes from the option table")
        if not path.startswith(("controlplane/store/", "dataplane/pg/", "tests/")):
            self.each_match(path, SQL_TEXT, with_strings, "sql", "SQL outside its rooms")
        longest = MAX_TEST_LINES if path.startswith("tests/") else MAX_LINES
        if len(self.lines) - 1 > longest:
            self.complain(path, 1, "length", f"{len(self.lines) - 1} lines, more than {longest}")
        if path.endswith(".h"):
            self.check_guard(path, code)
        self.check_includes(path, with_strings)
        if path.startswith(tuple(PURE)):
            self.check_pure(path, code)

    def check_guard(self, path, code):
        wanted = re.sub(r"[^A-Z0-9]", "_", path.upper())
        directives = [(number, line) for number, line in enumerate(code, 1) if line.strip()]
        if len(directives) < 2 or directives[0][1].split() != ["#ifndef", wanted]:
            number = directives[0][0] if directives else 1
            self.complain(path, number, "guard", f"the include guard is not {wanted}")

    def check_includes(self, path, code):
        for number, line in enumerate(code, 1):
            match = INCLUDE.match(line)
            if match is None:
                continue
            if match.group(1) == "<":
                self.check_room(path, number, match.group(2))
            else:
                self.check_layer(path, number, match.group(2))

    def check_room(self, path, number, header):
        rooms = ROOMS.get(header)
        if rooms and not path.startswith("tests/") and not path.startswith(tuple(rooms)):
            self.complain(path, number, "room", f"<{header}> belongs to {', '.join(rooms)} only")
        if header in PURE_FORBIDS and path.startswith(tuple(PURE)):
            self.complain(path, number, "pure", f"<{header}> in a pure folder")

    def check_layer(self, path, number, header):
        if "/" not in header:
            self.complain(path, number, "guard", f'"{header}" is not a path from the root')
            return
        if path.startswith("tests/"):
            return
        owner = max((folder for folder in LAYERS if path.startswith(folder)), key=len, default=None)
        if owner and not header.startswith(tuple(LAYERS[owner])):
            self.complain(path, number, "layer", f"{owner} may not include {header}")
        if header.startswith(tuple(EDGES)) and not KNOWS_EDGES.match(path):
            self.complain(path, number, "layer", f"{header} is an edge: only main.c and the composition root know it")

    def check_pure(self, path, code):
        depth = 0
        for number, line in enumerate(code, 1):
            if depth == 0 and FILE_VARIABLE.match(line) and not NOT_A_VARIABLE.search(line):
                self.complain(path, number, "pure", f"a variable of the file in a pure folder: {line.strip()}")
            depth += line.count("{") - line.count("}")


def tracked_files(root):
    """What git would commit; in a tree without git (a test's sample) every file."""
    listed = subprocess.run(["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, text=True, check=False)
    top = subprocess.run(["git", "-C", root, "rev-parse", "--show-toplevel"], capture_output=True, text=True,
                         check=False)
    if listed.returncode == 0 and os.path.realpath(top.stdout.strip()) == os.path.realpath(root):
        names = set(listed.stdout.splitlines())
    else:
        names = {os.path.relpath(os.path.join(folder, name), root)
                 for folder, _, files in os.walk(root) for name in files}
    return sorted(name for name in names if os.path.isfile(os.path.join(root, name)))


def check_migrations(paths):
    """The order of migrations is that of their numbers: two of one number have none."""
    complaints, next_number = [], {}
    for path in paths:
        match = re.match(r"(migrations/\w+)/(\d{4})_\w+\.sql$", path)
        if match is None:
            continue
        folder, number = match.group(1), int(match.group(2))
        wanted = next_number.get(folder, 1)
        if number != wanted:
            complaints.append(f"{path}:1: migration: its number should be {wanted:04}")
        next_number[folder] = max(wanted, number) + 1
    return complaints


def check_named_tests(root, paths):
    """A table of rules promises tests; one that was renamed or removed leaves a rule that nobody holds."""
    defined, complaints = set(), []
    for path in paths:
        if path.startswith("tests/") and path.endswith(".c"):
            with open(os.path.join(root, path), encoding="utf-8") as file:
                defined.update(re.findall(r"^START_TEST\((\w+)\)", file.read(), re.MULTILINE))
    for path in paths:
        if not re.match(r"tests/unit/.*README\.md$", path):
            continue
        with open(os.path.join(root, path), encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                last_cell = line.rstrip().rstrip("|").rpartition("|")[2] if line.startswith("|") else ""
                complaints += [f"{path}:{number}: named: no test is called {name}"
                               for name in re.findall(r"`(\w+)`", last_cell) if name not in defined]
    return complaints


def compile_flags(commands_file):
    """The union of -I, -isystem and -D of all commands: one header may be seen from many libraries."""
    flags = []
    with open(commands_file, encoding="utf-8") as file:
        for entry in json.load(file):
            words = iter(shlex.split(entry["command"]))
            for word in words:
                flag = [word, next(words)] if word == "-isystem" else [word]
                if word.startswith(("-I", "-D", "-isystem")) and flag not in flags:
                    flags.append(flag)
    return [word for flag in flags for word in flag if not word.startswith("-D_FORTIFY_SOURCE")]


def check_headers_alone(root, headers, commands_file):
    flags = compile_flags(commands_file)

    def compile_one(header):
        run = subprocess.run(["gcc", "-std=gnu17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", *flags, "-I", root,
                              "-x", "c", "-"], input=f'#include "{header}"\n', capture_output=True, text=True,
                             check=False)
        if run.returncode != 0:
            first = next((line for line in run.stderr.splitlines() if "error" in line), run.stderr)
            return f"{header}:1: alone: does not compile alone: {first.strip()}"
        return None

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [complaint for complaint in pool.map(compile_one, headers) if complaint]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = os.path.dirname(os.path.realpath(__file__))
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(here)))
    parser.add_argument("--headers-with", metavar="COMPILE_COMMANDS_JSON")
    options = parser.parse_args()

    lint = Lint(options.root)
    paths = tracked_files(options.root)
    if not paths:
        sys.exit(f"lint: no files under {options.root}: nothing was checked")
    for path in paths:
        lint.check_file(path)
    lint.complaints += check_migrations(paths)
    lint.complaints += check_named_tests(options.root, paths)
    if options.headers_with:
        headers = [path for path in paths if path.endswith(".h")]
        lint.complaints += check_headers_alone(options.root, headers, options.headers_with)
    for complaint in lint.complaints:
        print(complaint)
    print(f"lint: {len(paths)} files, {len(lint.complaints)} complaints")
    sys.exit(1 if lint.complaints else 0)


if __name__ == "__main__":
    main()
