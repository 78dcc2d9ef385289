"""A virtual machine with a Debian 12 and its systemd as process 1, by QEMU's emulation alone: it
needs no rights beyond root's in a container, and is ten to twenty times slower than the real thing.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from fresh_root import MIRROR, run  # noqa: E402

# What the guest has before the package comes, whose own needs apt takes from its cache.
INCLUDED = ["ca-certificates", "dbus", "initramfs-tools", "iproute2", "kmod",
            "linux-image-cloud-amd64", "procps", "python3", "systemd", "systemd-sysv", "udev"]
IN_GUEST = ["agent.py", "books.py", "load.py", "walls.py"]
# Of the kernel's drivers, those without which the guest does not find its disk.
DRIVERS = ["virtio_pci", "virtio_blk", "virtio_console", "ext4"]
UNIT = """[Unit]
Description=Does what the test outside asks
[Service]
ExecStart=/usr/bin/python3 -B /opt/tests/agent.py
[Install]
WantedBy=multi-user.target
"""
# Seconds that anything may take that a real machine does in one or two.
PATIENCE = 600.0


def base(cache: Path) -> Path:
    """A minimal Debian 12 with kernel and systemd, made where it is not there yet."""
    root = cache / "systemd"
    if (root / ".done").exists():
        return root
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    run("debootstrap", "--variant=minbase", f"--include={','.join(INCLUDED)}", "bookworm",
        str(root), MIRROR)
    inside(root, "apt-get", "clean")
    settings = root / "etc/initramfs-tools/initramfs.conf"
    settings.write_text(re.sub(r"(?m)^MODULES=.*$", "MODULES=list", settings.read_text()))
    (root / "etc/initramfs-tools/modules").write_text("\n".join(DRIVERS) + "\n")
    inside(root, "update-initramfs", "-u")
    # Nothing of the system's own is to hold apt's lock while a test installs.
    inside(root, "systemctl", "mask", "apt-daily.timer", "apt-daily-upgrade.timer")
    # What the journal says outlives a boot.
    (root / "var/log/journal").mkdir(parents=True, exist_ok=True)
    (root / ".done").touch()
    return root


def inside(root: Path, *command: str) -> None:
    run("chroot", str(root), *command, env={
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
        "HOME": "/root", "LC_ALL": "C.UTF-8"})


class Machine:
    """One guest with one disk, through as many boots as a test wants."""

    def __init__(self, cache: Path, folder: Path, packages: list[Path]):
        self.folder = folder
        self.console = folder / "console"
        self.process: subprocess.Popen | None = None
        self._make_disk(base(cache), packages)

    def _make_disk(self, made: Path, packages: list[Path]) -> None:
        root = self.folder / "root"
        run("cp", "-a", "--reflink=auto", str(made), str(root))
        shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")
        inside(root, "apt-get", "update", "-qq")
        for package in packages:
            shutil.copyfile(package, root / "root" / package.name)
            inside(root, "apt-get", "install", "-qq", "-y", "--no-install-recommends",
                   "--download-only", f"/root/{package.name}")
        (root / "opt/tests").mkdir()
        for file in [*map(HERE.joinpath, IN_GUEST), HERE.parent / "deliveries.py"]:
            shutil.copyfile(file, root / "opt/tests" / file.name)
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
        (root / "etc/systemd/system/agent.service").write_text(UNIT)
        inside(root, "systemctl", "enable", "-q", "agent.service")
        for name in ["vmlinuz", "initrd"]:
            shutil.copyfile(next((root / "boot").glob(f"{name}*")), self.folder / name)
        run("mkfs.ext4", "-q", "-d", str(root), str(self.folder / "disk"), "3G")
        shutil.rmtree(root)

    def boot(self) -> None:
        """Switches it on, and returns when it does what it is told."""
        port = self.folder / "port"
        self.process = subprocess.Popen([
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "Nehalem", "-m", "2G",
            "-smp", "2", "-nodefaults", "-nographic", "-no-reboot",
            "-serial", f"file:{self.console}", "-device", "virtio-rng-pci",
            # The host's page cache outlives the emulator, so that no flush is needed for a guest
            # that is switched off: what it had handed to its disk is there.
            "-drive", f"file={self.folder / 'disk'},format=raw,if=virtio,cache=unsafe",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,path={port},server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=agent",
            "-chardev", f"file,id=told,path={self.folder / 'told'},append=on",
            "-device", "virtserialport,chardev=told,name=told",
            "-kernel", str(self.folder / "vmlinuz"), "-initrd", str(self.folder / "initrd"),
            "-append", "root=/dev/vda rw console=ttyS0 quiet",
        ], stdin=subprocess.DEVNULL)
        (self.folder / "qemu.pid").write_text(str(self.process.pid))
        self._connect(port)
        self.boot_name = self._hear(PATIENCE)["boot"]

    def _connect(self, port: Path) -> None:
        self.line = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.line.connect(str(port))
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise AssertionError("the emulator does not start")
                time.sleep(0.05)

    def _hear(self, seconds: float) -> dict:
        self.line.settimeout(seconds)
        heard = b""
        try:
            while not heard.endswith(b"\n"):
                more = self.line.recv(1 << 20)
                if not more:
                    raise AssertionError("the guest has ended: " + self.last_words())
                heard += more
        except TimeoutError:
            raise AssertionError(f"the guest is silent for {seconds} s: " + self.last_words())
        return json.loads(heard)

    def last_words(self) -> str:
        return self.console.read_text(errors="replace")[-3000:]

    def __call__(self, command: str, check: bool = True, input: str | None = None,
                 seconds: float = PATIENCE) -> subprocess.CompletedProcess:
        """A line of bash, as root in the guest."""
        asked = {"command": command, "input": input, "seconds": seconds}
        self.line.sendall(json.dumps(asked).encode() + b"\n")
        heard = self._hear(seconds + 60)
        done = subprocess.CompletedProcess(
            command, heard["code"], heard["output"], heard["error"])
        if check and done.returncode:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def wait_for(self, command: str, seconds: float = PATIENCE) -> str:
        """Until a command in the guest succeeds; what it said then."""
        loop = f"until {command}; do sleep 0.2; done"
        return self(f"timeout {seconds} bash -c '{loop}'", seconds=seconds + 30).stdout

    def reboot(self) -> None:
        asked = {"command": "systemctl reboot", "input": None, "seconds": PATIENCE}
        self.line.sendall(json.dumps(asked).encode() + b"\n")
        self.process.wait(PATIENCE)
        self.line.close()
        self.boot()

    def cut(self) -> None:
        """Switches it off as a power cut does: what was in its memory alone is gone."""
        self.process.kill()
        self.process.wait()
        self.line.close()

    def remove(self) -> None:
        if self.process and self.process.poll() is None:
            self.cut()
        shutil.rmtree(self.folder)
