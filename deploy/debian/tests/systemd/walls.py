"""Runs in the guest, in the service's place and within its walls: what can be done there.

Each attempt is one that somebody who has taken the process over would make; `done` lists those that
succeeded, and the first two have to.
"""

import json
import mmap
import os
import socket
import subprocess
from pathlib import Path

DATA = Path("/var/lib/tillbox")
BACKUPS = Path("/var/backups/tillbox")


def run(*command: str) -> None:
    if subprocess.run(command, stderr=subprocess.DEVNULL).returncode:
        raise OSError(f"{command[0]} fails")


def write(folder: Path) -> None:
    (folder / "trial").write_text("")
    (folder / "trial").unlink()


def see_others() -> None:
    if not Path("/proc/1/cmdline").exists():
        raise OSError("process 1 is not seen")


ATTEMPTS = {
    "write to the data folder": lambda: write(DATA),
    "write to the backups": lambda: write(BACKUPS),
    "write to /etc": lambda: write(Path("/etc/tillbox")),
    "write to /usr": lambda: write(Path("/usr/bin")),
    "write to /var": lambda: write(Path("/var/lib")),
    "see /root": lambda: os.listdir("/root"),
    "read the secrets where root keeps them": lambda: os.listdir("/etc/tillbox/secrets"),
    "read the disk": lambda: os.open("/dev/vda", os.O_RDONLY),
    "read the kernel's log": lambda: os.open("/dev/kmsg", os.O_RDONLY),
    "change the kernel": lambda: Path("/proc/sys/kernel/hostname").write_text("x"),
    "see other processes": see_others,
    "memory that is written and run": lambda: mmap.mmap(
        -1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
    "a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
    "a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "ask the kernel by netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "a namespace": lambda: run("unshare", "--user", "true"),
    "a mount": lambda: run("mount", "-t", "tmpfs", "none", "/tmp"),
    "become root": lambda: os.setuid(0),
    "a file that gives rights": lambda: (
        (DATA / "rights").touch(), os.chmod(DATA / "rights", 0o4755)),
    "set the clock": lambda: run("date", "--set=2020-01-01"),
}


def main() -> None:
    done = []
    for name, attempt in ATTEMPTS.items():
        try:
            attempt()
            done.append(name)
        except OSError:
            continue
    (DATA / "rights").unlink(missing_ok=True)
    # Names are looked up and connections made as the daemon does both.
    socket.getaddrinfo("localhost", 80)
    (DATA / "walls.json").write_text(json.dumps({"done": done, "tried": list(ATTEMPTS)}))


if __name__ == "__main__":
    main()
