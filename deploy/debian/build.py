#!/usr/bin/env python3
"""Builds tillbox_VERSION_ARCH.deb from a binary, the same bytes each time.

    deploy/debian/build.py --binary .build-static/release/tillbox --into .build/deb

The manual pages and completions are what the binary says of itself; the configuration is made from
docs/CONFIGURATION.md. Beside the package stands its bill of materials (CycloneDX).

Every time stamp is SOURCE_DATE_EPOCH, which is the last commit's unless the environment sets it.
"""

import argparse
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))
import bill  # noqa: E402
import pages  # noqa: E402

MAINTAINER = "Tillbox <tillbox@localhost>"
DESCRIPTION = """payments backbone in one box
 One daemon receives Stripe webhooks, makes each durable exactly once, scores
 every payment for fraud and books a double-entry ledger that the database
 itself refuses to unbalance. It needs no broker, no cache and no database
 server; bridges copy to Kafka, Redis and Postgres where there are such."""
# Beside what the binary is linked with: the SQLite whose statements the ledger uses, who makes the
# service's user, and who signs Stripe's certificate.
FURTHER = ["libsqlite3-0 (>= 3.39)", "systemd (>= 250)", "init-system-helpers (>= 1.54~)",
           "ca-certificates"]


def run(*command: str, **options) -> str:
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"build: {' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout


def epoch() -> int:
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return int(given or run("git", "-C", str(ROOT), "log", "-1", "--format=%ct"))


def formats() -> dict[str, int]:
    """The newest format of each part of the data folder that this source writes."""
    ledger = len(list((ROOT / "migrations/sqlite").glob("[0-9]*.sql")))
    schema = ROOT / "Sources/Appliance/Console/Access/SQLite/AccountSchema.swift"
    accounts = re.search(r"static let version = (\d+)", schema.read_text())
    if not ledger or not accounts:
        sys.exit("build: migrations/sqlite and AccountSchema.swift do not say what they write")
    return {"ledger": ledger, "accounts": int(accounts[1])}


class Package:
    """The tree of a package below `root`, and what is said of it."""

    def __init__(self, root: Path, options: argparse.Namespace, moment: int):
        self.root, self.options, self.moment = root, options, moment
        self.binary = Path(options.binary).resolve()
        self.day = time.strftime("%Y-%m-%d", time.gmtime(moment))
        self.said = options.version or self.ask("--version").strip()

    def ask(self, *words: str) -> str:
        return run(str(self.binary), *words, env={"PATH": "/usr/bin:/bin"})

    def put(self, path: str, content: str | bytes, mode: int = 0o644) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        file.chmod(mode)
        return file

    def put_gzipped(self, path: str, text: str) -> None:
        self.put(path + ".gz", gzip.compress(text.encode(), 9, mtime=0))

    def put_binary(self) -> None:
        target = self.root / "usr/bin/tillbox"
        target.parent.mkdir(parents=True)
        if not self.options.runtime:
            shutil.copyfile(self.binary, target)
            target.chmod(0o755)
            run("strip", "--remove-section=.comment", "--remove-section=.note.gnu.build-id",
                str(target))
            return
        # Its libraries lie beside it, where the binary looks for them too.
        place = self.root / "usr/lib/tillbox"
        place.mkdir(parents=True)
        shutil.copyfile(self.binary, place / "tillbox")
        for library in self.needed_of_runtime():
            shutil.copyfile(library, place / library.name)
        for file in sorted(place.iterdir()):
            file.chmod(0o755 if file.name == "tillbox" else 0o644)
            run("strip", "--strip-unneeded", str(file))
        target.symlink_to("../lib/tillbox/tillbox")

    def needed_of_runtime(self) -> list[Path]:
        runtime = Path(self.options.runtime).resolve()
        lines = run("ldd", str(self.binary)).splitlines()
        paths = [Path(line.split("=>")[1].split()[0]) for line in lines if "=>" in line]
        return sorted(path for path in paths if path.resolve().is_relative_to(runtime))

    def put_words(self) -> None:
        dump = self.ask("--experimental-dump-help")
        for name, text in pages.manual(dump, self.said, self.day).items():
            self.put_gzipped(f"usr/share/man/man1/{name}", text)
        settings = (ROOT / "docs/CONFIGURATION.md").read_text()
        self.put_gzipped(
            "usr/share/man/man5/tillbox.conf.5",
            pages.configuration_manual(settings, self.said, self.day))
        self.put("usr/share/tillbox/tillbox.conf", pages.configuration(settings))
        for shell, path in [
            ("bash", "usr/share/bash-completion/completions/tillbox"),
            ("zsh", "usr/share/zsh/vendor-completions/_tillbox"),
            ("fish", "usr/share/fish/vendor_completions.d/tillbox.fish"),
        ]:
            script = self.ask("--generate-completion-script", shell)
            # It is read by a shell, and run by none.
            self.put(path, re.sub(r"\A#!.*\n", "", script))

    def put_service(self) -> None:
        self.put("usr/lib/systemd/system/tillbox.service", (HERE / "tillbox.service").read_text())
        self.put("usr/lib/sysusers.d/tillbox.conf", (HERE / "tillbox.sysusers").read_text())
        (self.root / "etc/tillbox/secrets").mkdir(parents=True)
        (self.root / "etc/tillbox/secrets").chmod(0o700)

    def put_papers(self) -> None:
        place = "usr/share/doc/tillbox"
        self.put(f"{place}/README.Debian", (HERE / "README.Debian").read_text())
        # Sentences of the program name them as docs/EVENTS.md, and they lead to each other.
        for page in sorted((ROOT / "docs").rglob("*.md")):
            self.put_gzipped(f"{place}/{page.relative_to(ROOT)}", page.read_text())
        self.put(f"{place}/copyright", (HERE / "copyright").read_text())
        day = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(self.moment))
        self.put_gzipped(
            f"{place}/changelog",
            f"tillbox ({self.said}) stable; urgency=medium\n\n  * Release {self.said}.\n\n"
            f" -- {MAINTAINER}  {day}\n")

    def depends(self) -> str:
        """What dpkg-shlibdeps finds the binary linked with, and what the scripts need."""
        with tempfile.TemporaryDirectory() as folder:
            control = Path(folder, "debian/control")
            control.parent.mkdir()
            control.write_text("Source: tillbox\n\nPackage: tillbox\nArchitecture: any\n")
            private = ["-l" + str(Path(self.options.runtime).resolve())] \
                if self.options.runtime else []
            ignored = ["--ignore-missing-info"] if self.options.runtime else []
            found = run(
                "dpkg-shlibdeps", "-O", *ignored, *private, "-e" + str(self.elf()), cwd=folder)
        linked = re.search(r"shlibs:Depends=(.*)", found)
        if not linked:
            sys.exit(f"build: dpkg-shlibdeps found no library: {found}")
        own = {word.split()[0] for word in FURTHER}
        return ", ".join([word for word in linked[1].split(", ") if word.split()[0] not in own]
                         + FURTHER)

    def elf(self) -> Path:
        return self.root / ("usr/lib/tillbox/tillbox" if self.options.runtime
                            else "usr/bin/tillbox")

    def put_control(self) -> None:
        # In a package /etc may hold a file that a person changes; ours is made by postinst.
        size = sum(file.lstat().st_size for file in self.root.rglob("*") if not file.is_dir())
        architecture = run("dpkg", "--print-architecture").strip()
        self.put("DEBIAN/control", "\n".join([
            "Package: tillbox", f"Version: {self.said}", f"Architecture: {architecture}",
            f"Maintainer: {MAINTAINER}", "Section: net", "Priority: optional",
            f"Installed-Size: {(size + 1023) // 1024}", f"Depends: {self.depends()}",
            f"Description: {DESCRIPTION}", ""]))
        known = formats()
        for script in ["preinst", "postinst", "prerm", "postrm"]:
            text = (HERE / script).read_text().replace("@VERSION@", self.said)
            for part, version in known.items():
                text = text.replace(f"@{part.upper()}@", str(version))
            self.put(f"DEBIAN/{script}", text, 0o755)
        files = sorted(f for f in self.root.rglob("*")
                       if f.is_file() and not f.is_symlink() and "DEBIAN" not in f.parts)
        self.put("DEBIAN/md5sums", "".join(
            f"{hashlib.md5(f.read_bytes()).hexdigest()}  {f.relative_to(self.root)}\n"
            for f in files))

    def finish(self, into: Path) -> Path:
        for path in [self.root, *self.root.rglob("*")]:
            os.utime(path, (self.moment, self.moment), follow_symlinks=False)
            if path.is_dir() and path.name != "secrets":
                path.chmod(0o755)
        control = (self.root / "DEBIAN/control").read_text()
        architecture = re.search(r"Architecture: (\S+)", control)[1]
        into.mkdir(parents=True, exist_ok=True)
        file = into / f"tillbox_{self.said}_{architecture}.deb"
        # One thread: with several, xz cuts its blocks by how many there are.
        compression = ["-Zgzip", "-z1"] if self.options.quick else ["-Zxz", "-z6"]
        run("dpkg-deb", "--root-owner-group", *compression, "--threads-max=1", "--build",
            str(self.root), str(file),
            env={**os.environ, "SOURCE_DATE_EPOCH": str(self.moment), "TZ": "UTC"})
        file.with_suffix(".cdx.json").write_text(bill.of_package(
            self.said, control, self.elf(), Path(self.options.resolved), self.moment))
        return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="the program, built with static Swift")
    parser.add_argument("--into", default=".build/deb", help="the folder of the package")
    parser.add_argument("--version", help="another than the program says of itself")
    parser.add_argument("--quick", action="store_true", help="compress little, for a trial")
    parser.add_argument(
        "--runtime", help="the folder of Swift's shared libraries, for a binary that needs them")
    parser.add_argument("--resolved", default=str(ROOT / "Package.resolved"),
                        help="which versions the program was built from")
    options = parser.parse_args()
    if not Path(options.resolved).is_file():
        sys.exit(f"build: {options.resolved} is missing; it is written by `swift build`")
    with tempfile.TemporaryDirectory() as folder:
        package = Package(Path(folder), options, epoch())
        package.put_binary()
        package.put_words()
        package.put_service()
        package.put_papers()
        package.put_control()
        print(package.finish(Path(options.into)))


if __name__ == "__main__":
    main()
