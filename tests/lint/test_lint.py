#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lint is itself tested: each rule catches a bad sample, and a good file passes."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

LINT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "lint.py")
SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"


def lint(files, *options):
    """Runs the lint over a tree of these files; gives its exit status and its complaints."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        run = subprocess.run([sys.executable, LINT, "--root", root, *(option.format(root=root) for option in options)],
                             capture_output=True, text=True, check=False)
        return run.returncode, run.stdout + run.stderr


class LintTest(unittest.TestCase):
    def refuses(self, rule, path, text):
        status, output = lint({path: SPDX + text})
        self.assertEqual(status, 1, output)
        self.assertIn(f": {rule}: ", output)

    def accepts(self, path, text):
        status, output = lint({path: SPDX + text})
        self.assertEqual(status, 0, output)

    def test_a_file_without_licence_is_refused(self):
        status, output = lint({"common/base/x.c": "int x(void);\n"})
        self.assertEqual(status, 1)
        self.assertIn("common/base/x.c:1: spdx: ", output)

    def test_libraries_stay_in_their_rooms(self):
        self.refuses("room", "dataplane/net/x.c", "#include <uv.h>\n")
        self.refuses("room", "controlplane/endpoints/x.c", "#include <libpq-fe.h>\n")
        self.refuses("room", "controlplane/endpoints/x.c", "#include <microhttpd.h>\n")
        self.accepts("dataplane/uv/x.c", "#include <uv.h>\n")
        self.accepts("dataplane/pg/x.c", "#include <libpq-fe.h>\n")
        self.accepts("controlplane/http/x.c", "#include <microhttpd.h>\n")

    def test_planes_never_include_each_other(self):
        self.refuses("layer", "dataplane/net/x.c", '#include "controlplane/http/server.h"\n')
        self.refuses("layer", "controlplane/http/x.c", '#include "dataplane/net/connection.h"\n')
        self.refuses("layer", "common/wire/x.c", '#include "dataplane/net/connection.h"\n')
        self.refuses("layer", "common/base/x.c", '#include "common/wire/reader.h"\n')
        self.accepts("dataplane/net/x.c", '#include "common/wire/reader.h"\n')

    def test_migrations_are_numbered_without_twins_and_gaps(self):
        text = "-- SPDX-License-Identifier: Apache-2.0\n"
        good = {f"migrations/fleet/{name}.sql": text for name in ("0001_a", "0002_b", "0003_c")}
        self.assertEqual(lint(good)[0], 0)
        for name in ("0003_twin", "0005_gap"):
            status, output = lint({**good, f"migrations/fleet/{name}.sql": text})
            self.assertEqual(status, 1, output)
            self.assertIn("0004", output)
            self.assertIn(": migration: ", output)

    def test_the_store_is_not_called_by_the_domain(self):
        self.refuses("layer", "controlplane/domain/x.c", '#include "controlplane/store/db.h"\n')

    def test_edges_are_known_to_the_roots_only(self):
        self.refuses("layer", "dataplane/cluster/x.c", '#include "dataplane/pg/pg_meta_store.h"\n')
        self.accepts("dataplane/main.c", '#include "dataplane/pg/pg_meta_store.h"\n')
        self.accepts("dataplane/broker.c", '#include "dataplane/uv/uv_network.h"\n')

    def test_pure_folders_stay_pure(self):
        self.refuses("pure", "dataplane/group/x.c", "#include <time.h>\n")
        self.refuses("pure", "dataplane/group/x.c", "static int calls;\n")
        self.refuses("pure", "dataplane/group/x.c", "static struct group *current = NULL;\n")
        self.refuses("pure", "controlplane/domain/x.c", "uint64_t seen[4];\n")
        self.accepts("dataplane/group/x.c", "static const int limits[] = {\n    1,\n};\n")
        self.accepts("dataplane/group/x.c", "struct group;\nint group_size(struct group *group)\n{\n    int n = 0;\n    return n;\n}\n")

    def test_banned_functions_are_refused(self):
        for call in ("strcpy(a, b)", "sprintf(a, b)", "atoi(a)", "alloca (4)", "strtok(a, b)"):
            self.refuses("banned", "common/wire/x.c", f"void x(void)\n{{\n    {call};\n}}\n")
        self.refuses("banned", "dataplane/net/x.c", 'void x(void)\n{\n    getenv("HOME");\n}\n')

    def test_names_in_comments_and_strings_are_not_calls(self):
        self.accepts("common/wire/x.c", '/* strcpy(a, b) */\nconst char *x = "sprintf(a)";\nvoid my_strcpy(int);\n')

    def test_sql_stays_in_its_rooms(self):
        text = 'const char *x = "SELECT name FROM fleet.plan";\n'
        self.refuses("sql", "controlplane/endpoints/x.c", text)
        self.accepts("controlplane/store/x.c", text)

    def test_unfinished_work_names_its_issue(self):
        self.refuses("mark", "common/wire/x.c", "/* TODO: later */\n")
        self.refuses("mark", "common/wire/x.c", "/* FIXME */\n")
        self.accepts("common/wire/x.c", "/* TODO(#12): what is missing */\n")

    def test_include_guards_follow_the_path(self):
        self.refuses("guard", "common/wire/x.h", "#ifndef X_H\n#define X_H\n#endif\n")
        self.refuses("guard", "common/wire/x.c", '#include "reader.h"\n')
        self.accepts("common/wire/x.h", "#ifndef COMMON_WIRE_X_H\n#define COMMON_WIRE_X_H\n#endif\n")

    def test_long_files_are_refused(self):
        self.refuses("length", "common/wire/x.c", "int x(void);\n" * 601)

    def test_paths_of_one_machine_are_refused(self):
        status, output = lint({"docs.md": "see " + "/ro" + "ot/notes\n"})
        self.assertEqual(status, 1, output)
        self.assertIn(": machine: ", output)

    def test_an_exception_needs_its_reason(self):
        self.refuses("banned", "common/wire/x.c", "void x(void)\n{\n    atoi(a); /* lint: allow banned */\n}\n")
        self.accepts("common/wire/x.c",
                     "void x(void)\n{\n    atoi(a); /* lint: allow banned, because a is ours */\n}\n")

    def test_a_header_that_does_not_compile_alone_is_refused(self):
        guard = "#ifndef COMMON_WIRE_X_H\n#define COMMON_WIRE_X_H\n{}\n#endif\n"
        commands = json.dumps([{"command": "gcc -Icommon -c x.c", "file": "x.c", "directory": "."}])
        for body, wanted in (("#include <stdint.h>\nuint8_t x(void);", 0), ("uint8_t x(void);", 1)):
            status, output = lint({"common/wire/x.h": SPDX + guard.format(body), "commands.json": commands},
                                  "--headers-with", "{root}/commands.json")
            self.assertEqual(status, wanted, output)

    def test_tests_that_a_table_names_exist(self):
        test = {"tests/unit/common/test_x.c": SPDX + "START_TEST(it_works)\n{\n}\nEND_TEST\n"}
        for name, wanted in (("it_works", 0), ("it_worked", 1)):
            status, output = lint({**test, "tests/unit/common/README.md": f"| `rule` | `{name}` |\n"})
            self.assertEqual(status, wanted, output)

    def test_an_empty_tree_is_not_a_success(self):
        status, output = lint({})
        self.assertNotEqual(status, 0, output)


if __name__ == "__main__":
    unittest.main()
