"""A fresh Debian 12 in a folder, made once by debootstrap and copied for each test, and in it a
stand-in for the service manager, since no systemd runs in a folder.

The stand-in reads the unit that the package has installed and does what matters here of what
systemd does with it: the user, the state directory, credentials, the environment, the socket of
sd_notify and the descriptors that come by it, the watchdog and restarts. What it does not do, the sandbox, is checked by
`systemd-analyze`, the system calls by test_contents.py, and all of it in systemd/.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

MIRROR = "http://deb.debian.org/debian"


def run(*command: str, check: bool = True, **options) -> subprocess.CompletedProcess:
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def base(cache: Path) -> Path:
    """A minimal Debian 12, made where it is not there yet."""
    root = cache / "base"
    if not (root / ".done").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        run("debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm",
            str(root), MIRROR)
        (root / ".done").touch()
    return root


class FreshRoot:
    """A copy of the base, with what a package needs to be installed; ended by `remove`."""

    # As systemctl, for maintainer scripts: it hands the words to the stand-in outside.
    SYSTEMCTL = """#!/bin/sh
case " $* " in
*" daemon-reload "*) exit 0 ;;
*" is-enabled "*) echo enabled; exit 0 ;;
esac
echo "$*" >/run/manager/words
read -r code </run/manager/answers
exit "$code"
"""

    def __init__(self, cache: Path, at: Path):
        self.path = at
        run("cp", "-a", "--reflink=auto", f"{base(cache)}/.", str(at))
        (at / ".done").unlink()
        shutil.copyfile("/etc/resolv.conf", at / "etc/resolv.conf")
        run("mount", "-t", "proc", "proc", str(at / "proc"))
        run("mount", "-t", "tmpfs", "tmpfs", str(at / "run"))
        run("chroot", str(at), "apt-get", "update", "-qq")

    def __call__(self, *command: str, check: bool = True, **options) -> subprocess.CompletedProcess:
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                       "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root",
                       "LC_ALL": "C.UTF-8"}
        return run("chroot", str(self.path), *command, check=check, env=environment, **options)

    def install(self, package: Path, check: bool = True) -> subprocess.CompletedProcess:
        target = self.path / "root" / package.name
        shutil.copyfile(package, target)
        return self("apt-get", "install", "-qq", "-y", "--no-install-recommends",
                    "--allow-downgrades", f"/root/{package.name}", check=check)

    def begin_management(self) -> None:
        """From here on scripts find a service manager."""
        (self.path / "run/systemd/system").mkdir(parents=True)
        (self.path / "run/manager").mkdir()
        for name in ["words", "answers"]:
            os.mkfifo(self.path / "run/manager" / name)
        # In its place: apt gives scripts a path of its own, without /usr/local.
        tool = self.path / "usr/bin/systemctl"
        tool.write_text(self.SYSTEMCTL)
        tool.chmod(0o755)

    def remove(self) -> None:
        for place in ["run", "proc"]:
            run("umount", "-l", str(self.path / place), check=False)
        shutil.rmtree(self.path)


class Unit:
    """A unit file; a key may stand there several times."""

    def __init__(self, text: str):
        self.values: dict[str, list[str]] = {}
        for line in text.splitlines():
            match = re.match(r"([A-Za-z]+)=(.*)$", line)
            if match:
                self.values.setdefault(match[1], []).append(match[2])

    def one(self, key: str) -> str:
        return self.values[key][-1]

    def seconds(self, key: str) -> float:
        number, unit = re.fullmatch(r"([0-9.]+)(ms|s|min)?", self.one(key)).groups()
        return float(number) * {"ms": 0.001, "s": 1, None: 1, "min": 60}[unit]


# Becomes a command that is handed descriptors as sd_listen_fds(3) has it: from 3 on, named by the
# process that they are for.
HANDING = """
import fcntl, os, sys
aside = [fcntl.fcntl(int(word), fcntl.F_DUPFD, 100) for word in sys.argv[1].split(",") if word]
os.closerange(3, 100)
for number, descriptor in enumerate(aside):
    os.dup2(descriptor, 3 + number)
    os.close(descriptor)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class Manager:
    """Runs one service of a root as its unit says."""

    def __init__(self, root: FreshRoot, watchdog_seconds: float | None = None):
        self.root = root
        self.watchdog_seconds = watchdog_seconds
        self.process: subprocess.Popen | None = None
        self.wanted = False
        self.words: list[tuple[float, str]] = []
        self.starts: list[float] = []
        self.kept: list[tuple[str, int]] = []
        self.log = root.path / "root/service.log"
        self.changed = threading.Condition()
        self.ended = False
        for target in [self._listen, self._serve, self._watch]:
            threading.Thread(target=target, daemon=True).start()

    @property
    def unit(self) -> Unit:
        return Unit((self.root.path / "usr/lib/systemd/system/tillbox.service").read_text())

    def _listen(self) -> None:
        """The socket of sd_notify. A process in the root sees it below /run."""
        place = self.root.path / "run/manager/notify"
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # The path is longer than an address may be: it is reached by the open folder.
        folder = os.open(place.parent, os.O_PATH)
        receiver.bind(f"/proc/self/fd/{folder}/notify")
        os.chmod(place, 0o777)
        while not self.ended:
            data, descriptors, _, _ = socket.recv_fds(receiver, 4096, 8)
            text = data.decode()
            self._keep(text.split("\n"), descriptors)
            with self.changed:
                self.words += [(time.monotonic(), word) for word in text.split("\n") if word]
                self.changed.notify_all()

    def _keep(self, words: list[str], descriptors: list[int]) -> None:
        """What a process gives to be handed to the next one, as far as the unit has room for it."""
        name = next((w.partition("=")[2] for w in words if w.startswith("FDNAME=")), "")
        if "FDSTOREREMOVE=1" in words:
            self._drop(name)
        is_room = "FDSTORE=1" in words and len(self.kept) + len(descriptors) <= int(
            self.unit.one("FileDescriptorStoreMax"))
        for descriptor in descriptors:
            if is_room:
                self.kept.append((name, descriptor))
            else:
                os.close(descriptor)

    def _drop(self, name: str | None = None) -> None:
        """Lets go of what is kept by that name, or of all."""
        gone = [one for one in self.kept if name is None or one[0] == name]
        self.kept = [one for one in self.kept if one not in gone]
        for _, descriptor in gone:
            os.close(descriptor)

    def _serve(self) -> None:
        """What maintainer scripts ask of systemctl."""
        place = self.root.path / "run/manager"
        while not self.ended:
            words = (place / "words").read_text().split()
            (place / "answers").write_text(f"{self._do(words)}\n")

    def _do(self, words: list[str]) -> int:
        action = next((w for w in words if not w.startswith("-")), "")
        if action == "is-active":
            return 0 if self.process else 3
        if action == "try-restart" and not self.process:
            return 0
        if action in ("stop", "restart", "try-restart"):
            self.stop(for_good=action == "stop")
        if action in ("start", "restart", "try-restart"):
            return 0 if self.start() else 1
        return 0

    def conditions_hold(self) -> bool:
        unit = self.unit
        for path in unit.values.get("ConditionPathExists", []):
            if not (self.root.path / path.lstrip("/")).exists():
                return False
        for path in unit.values.get("ConditionDirectoryNotEmpty", []):
            folder = self.root.path / path.lstrip("/")
            if not folder.is_dir() or not any(folder.iterdir()):
                return False
        return True

    def start(self) -> bool:
        """As `systemctl start`: it returns when the service says that it is ready."""
        if self.process or not self.conditions_hold():
            return True
        self.wanted = True
        return self._begin()

    def _begin(self) -> bool:
        since = time.monotonic()
        self.starts.append(since)
        self._spawn()
        return self.wait_for("READY=1", since, 60)

    def wait_for(self, word: str, since: float, seconds: float) -> bool:
        with self.changed:
            return self.changed.wait_for(
                lambda: any(w == word and at >= since for at, w in self.words), seconds)

    def _spawn(self) -> None:
        unit, root = self.unit, self.root.path
        user = unit.one("User")
        state = root / "var/lib" / unit.one("StateDirectory")
        state.mkdir(exist_ok=True)
        self.root("chown", f"{user}:{user}", f"/var/lib/{state.name}")
        state.chmod(int(unit.one("StateDirectoryMode"), 8))
        environment = dict(value.split("=", 1) for value in unit.values.get("Environment", []))
        environment |= {
            "PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": "/run/manager/notify",
            "CREDENTIALS_DIRECTORY": self._credentials(unit, user),
            "WATCHDOG_USEC": str(int(self.watchdog * 1e6)),
        }
        names, descriptors = [n for n, _ in self.kept], [d for _, d in self.kept]
        if names:
            environment |= {"LISTEN_FDS": str(len(names)), "LISTEN_FDNAMES": ":".join(names)}
        command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
                   "--no-new-privs", "--bounding-set=-all", "--", *unit.one("ExecStart").split()]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", HANDING, ",".join(map(str, descriptors)),
                 shutil.which("chroot"), str(root), *command],
                env=environment, cwd="/", pass_fds=descriptors,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)

    @property
    def watchdog(self) -> float:
        return self.watchdog_seconds or self.unit.seconds("WatchdogSec")

    def _credentials(self, unit: Unit, user: str) -> str:
        place = self.root.path / "run/credentials/tillbox.service"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for setting in unit.values.get("LoadCredential", []):
            name, source = setting.split(":", 1)
            for file in sorted((self.root.path / source.lstrip("/")).iterdir()):
                target = place / f"{name}_{file.name}"
                shutil.copyfile(file, target)
                target.chmod(0o400)
        place.chmod(0o500)
        self.root("chown", "-R", f"{user}:{user}", "/run/credentials/tillbox.service")
        return "/run/credentials/tillbox.service"

    def _watch(self) -> None:
        """Ends a process that does not say that it lives, and starts anew what has ended."""
        while not self.ended:
            process = self.process
            if process is None:
                time.sleep(0.02)
                continue
            if process.poll() is not None and self.wanted and process is self.process:
                prevented = self.unit.one("RestartPreventExitStatus").split()
                if str(process.returncode) in prevented:
                    self.wanted, self.process = False, None
                    continue
                time.sleep(self.unit.seconds("RestartSec"))
                if self.wanted:
                    self.starts.append(time.monotonic())
                    self._spawn()
                continue
            with self.changed:
                spoken = [at for at, _ in self.words if at >= self.starts[-1]]
                is_ready = any(w == "READY=1" and at >= self.starts[-1] for at, w in self.words)
            if is_ready and time.monotonic() - max(spoken) > self.watchdog:
                process.kill()
            time.sleep(0.02)

    def stop(self, for_good: bool = True) -> None:
        """As systemd: what it keeps outlives a restart, and no stop."""
        self._end_process()
        if for_good:
            self._drop()

    def _end_process(self) -> None:
        self.wanted = False
        process = self.process
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(self.unit.seconds("TimeoutStopSec"))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.process = None

    def end(self) -> None:
        self.stop()
        self.ended = True
