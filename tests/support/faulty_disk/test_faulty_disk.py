# SPDX-License-Identifier: Apache-2.0
"""The faulty disk does what journal.h and faults.h say: test_faulty_disk.py LIBRARY POWER_CUT.

Small programs in Python write, sync and die under the library; then the power goes, with many seeds, and what is found is
compared with what may be found. Every method's name is the sentence that it proves.
"""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

LIBRARY, POWER_CUT = sys.argv.pop(1), sys.argv.pop(1)
SEEDS = 24
SECTOR = 512

PRELUDE = """
import errno, os, signal, sys, threading
root = os.open(os.environ["FAULTY_DISK_DATA"], os.O_RDONLY | os.O_DIRECTORY)
def make(path): return os.open(path, os.O_RDWR | os.O_CREAT, 0o640, dir_fd=root)
def sync_names(path="."):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY, dir_fd=root)
    os.fsync(fd)
    os.close(fd)
def tell(what): os.write(1, (str(what) + "\\n").encode())
def errno_of(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return error.errno
    return 0
"""
DIE = "\nos.kill(os.getpid(), signal.SIGKILL)\n"


class Disk:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="faulty-disk-", dir=os.getcwd())
        self.data, self.journal = os.path.join(self.directory, "data"), os.path.join(self.directory, "journal")
        self.control = os.path.join(self.directory, "faults")
        os.mkdir(self.data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory)

    def environment(self):
        return {"LD_PRELOAD": LIBRARY, "FAULTY_DISK_DATA": self.data, "FAULTY_DISK_JOURNAL": self.journal,
                "FAULTY_DISK_FAULTS": self.control}

    def start(self, program):
        return subprocess.Popen([sys.executable, "-Sc", PRELUDE + program], env=self.environment(),
                                stdout=subprocess.PIPE, text=True)

    def run(self, program, ending=-signal.SIGKILL):
        """What the program told, line by line."""
        process = self.start(program + (DIE if ending else ""))
        told = process.communicate(timeout=60)[0].split("\n")[:-1]
        if process.returncode != ending:
            raise AssertionError(f"the program ended with {process.returncode}")
        return told

    def set_faults(self, *lines):
        with open(self.control + ".new", "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))
        os.rename(self.control + ".new", self.control)

    def cut_power(self, seed):
        done = subprocess.run([POWER_CUT, "--seed", str(seed), self.data, self.journal], capture_output=True, text=True,
                              check=True)
        return json.loads(done.stdout)

    def read(self, path):
        """None = there is no such file."""
        try:
            with open(os.path.join(self.data, path), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None


def after_power_cuts(program, *paths, before=""):
    """{what is found: how often}, over many seeds; each time on a fresh disk."""
    found = {}
    for seed in range(SEEDS):
        with Disk() as disk:
            if before:
                disk.run(before)
            disk.run(program)
            disk.cut_power(seed)
            state = tuple(disk.read(path) for path in paths)
            found[state] = found.get(state, 0) + 1
    return found


class PowerCut(unittest.TestCase):
    def test_synced_bytes_under_a_synced_name_are_always_there(self):
        found = after_power_cuts("file = make('a'); os.pwrite(file, b'x' * 1500, 0); os.fdatasync(file); sync_names()", "a")
        self.assertEqual(found, {(b"x" * 1500,): SEEDS})

    def test_unsynced_sectors_are_there_or_not_each_for_itself(self):
        found = after_power_cuts("file = make('a'); os.fdatasync(file); sync_names(); os.pwrite(file, b'x' * 2048, 0)", "a")
        for (content,) in found:
            for at in range(0, len(content), SECTOR):
                self.assertIn(content[at:at + SECTOR].strip(b"x"), (b"", bytes(len(content[at:at + SECTOR]))))
        self.assertIn((b"",), found)
        self.assertGreater(len(found), 6)

    def test_an_overwritten_sector_has_the_old_bytes_or_the_new_ones(self):
        found = after_power_cuts("""
file = make('a'); os.pwrite(file, b'o' * 1024, 0); os.fdatasync(file); sync_names()
os.pwrite(file, b'1' * 100, 50); os.pwrite(file, b'2' * 600, 100)""", "a")
        old, new = b"o" * 1024, b"o" * 50 + b"1" * 50 + b"2" * 600 + b"o" * 324
        wanted = {(first[:512] + second[512:],) for first in (old, new) for second in (old, new)}
        self.assertEqual(set(found), wanted)

    def test_what_was_written_past_the_page_cache_is_old_or_new_until_it_is_synced_by_either_descriptor(self):
        direct = """
import mmap
file = make('a'); os.pwrite(file, b'o' * 5000, 0); os.fdatasync(file); sync_names()
past = os.open('a', os.O_WRONLY | os.O_DIRECT, dir_fd=root)
blocks = mmap.mmap(-1, 8192); blocks.write(b'n' * 8192)
os.pwritev(past, [blocks], 0)
"""
        self.assertEqual(after_power_cuts(direct + "os.fdatasync(file)", "a"), {(b"n" * 8192,): SEEDS})
        found = after_power_cuts(direct, "a")
        self.assertGreater(len(found), 6)
        for (content,) in found:
            self.assertTrue(5000 <= len(content) <= 8192)
            for at in range(0, 4096, SECTOR):
                self.assertIn(content[at:at + SECTOR], (b"o" * SECTOR, b"n" * SECTOR))

    def test_a_cut_tail_comes_back_or_not(self):
        found = after_power_cuts("""
file = make('a'); os.pwrite(file, b'o' * 1000, 0); os.fdatasync(file); sync_names(); os.ftruncate(file, 512)""", "a")
        self.assertTrue(all(content == b"o" * len(content) and 512 <= len(content) <= 1000 for (content,) in found))
        self.assertIn((b"o" * 512,), found)
        self.assertIn((b"o" * 1000,), found)

    def test_room_made_beforehand_is_zeros_or_not_there(self):
        found = after_power_cuts("file = make('a'); sync_names(); os.posix_fallocate(file, 0, 1024)", "a")
        self.assertTrue(all(content == bytes(len(content)) for (content,) in found))
        self.assertIn((bytes(1024),), found)
        self.assertIn((b"",), found)

    def test_a_name_that_was_not_synced_is_there_or_not(self):
        found = after_power_cuts("file = make('a'); os.pwrite(file, b'x', 0); os.fdatasync(file)", "a")
        self.assertEqual(set(found), {(b"x",), (None,)})

    def test_a_removed_file_comes_back_with_its_bytes_or_not(self):
        found = after_power_cuts("""
file = make('a'); os.pwrite(file, b'x' * 600, 0); os.fdatasync(file); sync_names()
os.close(file); os.unlink('a', dir_fd=root)""", "a")
        self.assertEqual(set(found), {(b"x" * 600,), (None,)})

    def test_a_removed_file_stays_away_after_its_directory_was_synced(self):
        found = after_power_cuts("file = make('a'); sync_names(); os.unlink('a', dir_fd=root); sync_names()", "a")
        self.assertEqual(found, {(None,): SEEDS})

    def test_a_renamed_file_is_under_the_old_name_or_the_new_one_until_the_directory_is_synced(self):
        program = """
for name, text in (('a', b'1'), ('b', b'2')):
    file = make(name); os.pwrite(file, text, 0); os.fdatasync(file)
sync_names()
os.rename('b', 'a', src_dir_fd=root, dst_dir_fd=root)"""
        self.assertEqual(set(after_power_cuts(program, "a", "b")),
                         {(b"1", b"2"), (b"2", None), (b"2", b"2"), (b"1", None)})
        self.assertEqual(after_power_cuts(program + "\nsync_names()", "a", "b"), {(b"2", None): SEEDS})

    def test_a_directory_that_goes_takes_along_what_is_in_it(self):
        found = after_power_cuts("""
os.mkdir('d', dir_fd=root); file = make('d/a'); os.pwrite(file, b'x', 0); os.fdatasync(file); sync_names('d')""", "d/a")
        self.assertEqual(set(found), {(b"x",), (None,)})

    def test_a_removed_directory_comes_back_with_some_of_its_files(self):
        found = after_power_cuts("""
os.mkdir('d', dir_fd=root); file = make('d/a'); os.pwrite(file, b'x', 0); os.fdatasync(file); sync_names('d'); sync_names()
os.unlink('d/a', dir_fd=root); os.rmdir('d', dir_fd=root)""", "d/a")
        self.assertEqual(set(found), {(b"x",), (None,)})

    def test_what_a_killed_process_wrote_can_still_be_lost_in_the_next_life_until_that_one_syncs(self):
        first = "file = make('a'); sync_names(); os.pwrite(file, b'x' * 512, 0)"
        unsynced = after_power_cuts("file = make('a'); os.pwrite(file, b'y' * 512, 512)", "a", before=first)
        self.assertTrue(any(not content.startswith(b"x" * 512) for (content,) in unsynced))
        synced = after_power_cuts("file = make('a'); os.fdatasync(file)", "a", before=first)
        self.assertEqual(synced, {(b"x" * 512,): SEEDS})

    def test_after_a_power_cut_all_that_is_there_is_durable(self):
        for seed in range(SEEDS):
            with Disk() as disk:
                disk.run("file = make('a'); os.pwrite(file, b'x' * 5000, 0)")
                disk.cut_power(seed)
                found = disk.read("a")
                self.assertFalse(os.path.exists(disk.journal))
                disk.run("pass")
                self.assertEqual(disk.cut_power(seed)["sectors"], 0)
                self.assertEqual(disk.read("a"), found)

    def test_the_same_seed_finds_the_same(self):
        for seed in range(3):
            found = set()
            for _ in range(2):
                with Disk() as disk:
                    disk.run("for name in 'abc': os.pwrite(make(name), b'x' * 5000, 0)")
                    disk.cut_power(seed)
                    found.add(tuple(disk.read(name) for name in "abc"))
            self.assertEqual(len(found), 1)

    WRITERS = """
def work(name):
    file = make(name)
    sync_names()
    for number in range(100000):
        os.pwrite(file, b'%07d' % number * 100, 700 * number)
        os.fdatasync(file)
        tell(name + ' ' + str(number))
for name in 'abcd':
    threading.Thread(target=work, args=(name,)).start()
"""

    def lost_after_kill(self, seed, *faults):
        """How many blocks were said to be synced by four threads and are not there."""
        with Disk() as disk:
            disk.set_faults(*faults)
            process = disk.start(self.WRITERS)
            told = [process.stdout.readline() for _ in range(100 + 37 * seed)]
            process.kill()
            told += process.stdout.read().split("\n")[:-1]
            process.wait()
            process.stdout.close()
            disk.cut_power(seed)
            content = {name: disk.read(name) or b"" for name in "abcd"}
        pairs = [line.split() for line in told]
        return sum(content[name][700 * int(number):][:700] != b"%07d" % int(number) * 100 for name, number in pairs)

    def test_threads_killed_at_any_moment_lose_nothing_that_was_synced(self):
        self.assertEqual(sum(self.lost_after_kill(seed) for seed in range(12)), 0)

    def test_syncs_that_lie_are_noticed(self):
        self.assertGreater(self.lost_after_kill(1, "sync-lie * "), 0)


class Faults(unittest.TestCase):
    def told(self, program, *faults):
        with Disk() as disk:
            disk.set_faults(*faults)
            return disk.run(program, ending=0)

    def test_errors_come_as_often_as_was_asked_and_only_where(self):
        program = """
bad, good = make('bad.log'), make('good')
for fd in (bad, good):
    tell([errno_of(os.pwrite, fd, b'x', 0) for _ in range(3)])
    tell([errno_of(os.pread, fd, 1, 0) for _ in range(3)])
    tell([errno_of(os.fdatasync, fd) for _ in range(3)])"""
        told = self.told(program, "write-error *.log 1", "read-error *.log 2", "sync-error *.log")
        eio = errno.EIO
        self.assertEqual(told, [str(each) for each in ([eio, 0, 0], [eio, eio, 0], [eio] * 3, [0] * 3, [0] * 3, [0] * 3)])

    def test_short_writes_write_a_part_and_say_so(self):
        self.assertEqual(self.told("""
file = make('a')
tell([os.pwritev(file, [b'12345', b'67890'], 0), os.pread(file, 20, 0)])""", "short-write a 7"), ["[7, b'1234567']"])

    def test_a_full_disk_takes_what_fits_and_overwrites_what_is_there(self):
        self.assertEqual(self.told("""
file = make('a')
tell([os.pwrite(file, b'x' * 60, 0), os.pwrite(file, b'x' * 60, 60), errno_of(os.pwrite, file, b'x', 100)])
tell([os.pwrite(file, b'y' * 100, 0), errno_of(os.posix_fallocate, file, 0, 200), errno_of(make, 'b')])""", "no-space * 100"),
                         [f"[60, 40, {errno.ENOSPC}]", f"[100, {errno.ENOSPC}, {errno.ENOSPC}]"])

    def test_a_sync_is_nothing_yet_while_it_is_slow(self):
        for seed in range(SEEDS):
            with Disk() as disk:
                disk.set_faults("slow-sync a 60000000")
                process = disk.start("""
file, other = make('a'), make('b'); os.fdatasync(other); sync_names(); os.pwrite(file, b'x' * 512, 0)
threading.Thread(target=os.fdatasync, args=(file,)).start()
tell('begun')""")
                process.stdout.readline()
                process.kill()
                process.communicate()
                disk.cut_power(seed)
                if disk.read("a") == b"":
                    return
        self.fail("the bytes were always there")

    def test_the_file_system_says_what_is_free(self):
        self.assertEqual(self.told("status = os.fstatvfs(root); tell(status.f_bavail * status.f_frsize)", "free-space * 40960"),
                         ["40960"])

    def test_rules_come_and_go_while_the_program_runs(self):
        with Disk() as disk:
            process = subprocess.Popen([sys.executable, "-Sc", PRELUDE + """
file = make('a')
for line in open(0): tell(errno_of(os.pwrite, file, b'x', 0))"""], env=disk.environment(), stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True, bufsize=1)
            seen = []
            for rules in ([], ["write-error *"], []):
                disk.set_faults(*rules)
                process.stdin.write("\n")
                seen.append(int(process.stdout.readline()))
            process.communicate()
        self.assertEqual(seen, [0, errno.EIO, 0])

    def test_a_call_that_could_not_be_taken_back_ends_the_program(self):
        with Disk() as disk:
            process = subprocess.run([sys.executable, "-Sc", PRELUDE + "os.write(make('a'), b'x')"], env=disk.environment(),
                                     capture_output=True, text=True, check=False)
        self.assertEqual(process.returncode, -signal.SIGABRT)
        self.assertIn("write without an offset is not known here", process.stderr)


if __name__ == "__main__":
    unittest.main()
