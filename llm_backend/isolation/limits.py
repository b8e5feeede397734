"""What the process of a program may do: limits of POSIX everywhere, and on Linux filters of the kernel.

On Linux (x86-64 and ARM) a seccomp filter lets the program start no process, signal none, change none and
open no socket; Landlock (Linux 5.13) lets it write nowhere but in its folder. Threads stay allowed.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

FILE = 1 << 20  # most bytes of one file
OPEN = 64  # most open files
NUMBERS = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # the kernel's number of each architecture

# name: (number on x86-64, number on ARM); None where there is none
DENIED: dict[str, tuple[int | None, int | None]] = {
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "setpriority": (141, 140),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "ioprio_set": (251, 30),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "socket": (41, 198),
    "memfd_create": (319, 279),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "prctl": (157, 167),
    "seccomp": (317, 277),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "chroot": (161, 51),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
}
KILL, TGKILL, PRLIMIT = (62, 129), (234, 131), (302, 261)  # allowed on the process itself
CLONE, CLONE3, FCNTL = (56, 220), (435, 435), (72, 25)
THREAD = 0x10000  # CLONE_THREAD
OWNERS = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX: signals to others through a file
LOAD, EQUAL, ABOVE, ANY, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, DENY = 0x7FFF0000, 0x00050001  # EPERM
ABSENT = 0x00050026  # ENOSYS: the C library then takes the older call
WRITES = 1 << 1 | sum(1 << bit for bit in range(4, 13))  # Landlock: writing, removing and making files


def limit(seconds: int, memory: int) -> None:
    """Limits on CPU seconds, address space in bytes, files and core dumps of this process."""
    import resource

    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, FILE),
        (resource.RLIMIT_NOFILE, OPEN),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(what, (most, most))
        except (OSError, ValueError):  # macOS has no limit on the address space
            pass


def hide() -> None:
    """Let no process of the same user read or change the memory of this one, and adopt orphans (Linux)."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
        libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def end_with_parent() -> None:
    """Have the kernel kill this process when the one that started it ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG


def confine(folder: str) -> None:
    """Give up all rights that a program does not need, for good. What the kernel lacks is left out."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    _write_only_in(libc, folder)
    libc.capset(struct.pack("=Ii", 0x20080522, 0), bytes(24))
    machine = platform.machine()
    if machine in NUMBERS and sys.maxsize > 1 << 32:
        _filter(libc, _rules(machine, os.getpid()))


def _rules(machine: str, pid: int) -> list[tuple[int, int, int, int]]:
    """The seccomp filter: instructions of (code, steps if true, steps if false, constant)."""
    arm = int(machine == "aarch64")
    rules = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, NUMBERS[machine]), (RETURN, 0, 0, DENY), (LOAD, 0, 0, 0)]
    if not arm:
        rules += [(ABOVE, 0, 1, 0x40000000), (RETURN, 0, 0, DENY)]  # the x32 calls
    for numbers in DENIED.values():
        if (number := numbers[arm]) is not None:
            rules += [(EQUAL, 0, 1, number), (RETURN, 0, 0, DENY)]
    for numbers in (KILL, TGKILL):
        rules += [(EQUAL, 0, 4, numbers[arm]), (LOAD, 0, 0, 16), (EQUAL, 0, 1, pid)]
        rules += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, DENY)]
    rules += [(EQUAL, 0, 5, PRLIMIT[arm]), (LOAD, 0, 0, 16), (EQUAL, 1, 0, 0), (EQUAL, 0, 1, pid)]
    rules += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, DENY)]
    rules += [(EQUAL, 0, 4, CLONE[arm]), (LOAD, 0, 0, 16), (ANY, 0, 1, THREAD)]
    rules += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, DENY)]
    rules += [(EQUAL, 0, 1, CLONE3[arm]), (RETURN, 0, 0, ABSENT)]
    rules += [(EQUAL, 0, 6, FCNTL[arm]), (LOAD, 0, 0, 24)]
    rules += [(EQUAL, 3 - i, 0, command) for i, command in enumerate(OWNERS)]
    return [*rules, (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, DENY), (RETURN, 0, 0, ALLOW)]


def _filter(libc: ctypes.CDLL, rules: list[tuple[int, int, int, int]]) -> None:
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *rule) for rule in rules))
    program = struct.pack("@HP", len(rules), ctypes.addressof(code))
    libc.prctl(22, 2, program, 0, 0)  # PR_SET_SECCOMP


def _write_only_in(libc: ctypes.CDLL, folder: str) -> None:
    version = libc.syscall(444, None, 0, 1)  # landlock_create_ruleset: its version, or -1
    if version < 1:
        return
    handled = WRITES | (1 << 13 if version >= 2 else 0) | (1 << 14 if version >= 3 else 0)
    scoped = 3 if version >= 6 else 0  # abstract sockets and signals
    words = struct.pack("=QQQ", handled, 3 if version >= 4 else 0, scoped)
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = libc.syscall(444, words, size, 0)
    if rules < 0:
        return
    for path, rights in ((folder, handled), ("/dev/null", 1 << 1)):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        libc.syscall(445, rules, 1, struct.pack("=Qi", rights, place), 0)  # landlock_add_rule
        os.close(place)
    libc.syscall(446, rules, 0)  # landlock_restrict_self
    os.close(rules)
