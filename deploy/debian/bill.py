"""Bills of materials in CycloneDX 1.5 JSON, the same bytes for the same parts.

Swift packages come from Package.resolved, the version and the commit that were built; Debian's
from a package's Depends with the versions that are installed where it is built, or from dpkg's
list of an image's root.
"""

import hashlib
import json
import re
import subprocess
import time
import uuid
from pathlib import Path
from urllib.parse import quote

# Any one, so that the same content has the same serial number.
NAMESPACE = uuid.UUID("5d4b6a0e-9d0f-4c57-9f7e-6f2a4c2f8a10")
DISTRO = "debian-12"


def swift_parts(resolved: Path) -> list[dict]:
    """The packages that the program is made of."""
    parts = []
    for pin in json.loads(resolved.read_text())["pins"]:
        address = pin["location"].removesuffix(".git")
        place = address.removeprefix("https://")
        version = pin["state"].get("version", pin["state"]["revision"])
        parts.append({
            "type": "library", "bom-ref": f"swift:{pin['identity']}",
            "name": place.rsplit("/", 1)[-1], "version": version,
            "purl": f"pkg:swift/{place}@{version}",
            "externalReferences": [{"type": "vcs", "url": pin["location"]}],
            "properties": [{"name": "tillbox:commit", "value": pin["state"]["revision"]}],
        })
    return parts


def debian_part(name: str, version: str, architecture: str) -> dict:
    return {
        "type": "library", "bom-ref": f"deb:{name}", "name": name, "version": version,
        "purl": f"pkg:deb/debian/{quote(name)}@{quote(version)}"
                f"?arch={architecture}&distro={DISTRO}",
    }


def debian_parts(names: list[str]) -> list[dict]:
    """Debian's packages as they are installed here."""
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Version} ${Architecture}\n", *names],
        capture_output=True, text=True, check=True)
    return [debian_part(*line.split()) for line in done.stdout.splitlines()]


def status_parts(status: str) -> list[dict]:
    """The packages of a dpkg status file, or of the pieces of one."""
    parts = []
    for stanza in re.split(r"\n\n+", status.strip()):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", stanza, re.M))
        if "Package" in fields:
            parts.append(debian_part(
                fields["Package"], fields["Version"], fields.get("Architecture", "all")))
    return parts


def swift_runtime(binary: Path) -> dict:
    """Swift's own libraries, which are linked in: their version is the compiler's."""
    said = subprocess.run(
        ["swift", "--version"], capture_output=True, text=True).stdout
    version = re.search(r"Swift version (\S+)", said)
    return {
        "type": "framework", "bom-ref": "swift-runtime", "name": "swift",
        "version": version[1] if version else "unknown",
        "purl": f"pkg:github/swiftlang/swift@swift-{version[1] if version else ''}-RELEASE",
    }


def document(name: str, version: str, kind: str, parts: list[dict], digest: str | None,
             moment: int) -> str:
    parts = sorted(parts, key=lambda part: part["bom-ref"])
    subject = {"type": kind, "bom-ref": name, "name": name, "version": version}
    if digest:
        subject["hashes"] = [{"alg": "SHA-256", "content": digest}]
    content = {
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)),
            "component": subject,
        },
        "components": parts,
        "dependencies": [{"ref": name, "dependsOn": [part["bom-ref"] for part in parts]}]
        + [{"ref": part["bom-ref"]} for part in parts],
    }
    serial = uuid.uuid5(NAMESPACE, json.dumps(content, sort_keys=True))
    return json.dumps({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": f"urn:uuid:{serial}",
        "version": 1, **content}, indent=2) + "\n"


def of_package(version: str, control: str, binary: Path, resolved: Path, moment: int) -> str:
    depends = re.search(r"^Depends: (.*)$", control, re.M)[1]
    names = sorted({word.split("|")[0].split("(")[0].strip() for word in depends.split(",")})
    parts = swift_parts(resolved) + debian_parts(names) + [swift_runtime(binary)]
    digest = hashlib.sha256(binary.read_bytes()).hexdigest()
    return document("tillbox", version, "application", parts, digest, moment)


def of_image(package_bill: str, status: str, moment: int) -> str:
    """Of an image: what is linked into the program, and every package that left files there."""
    package = json.loads(package_bill)
    linked = [part for part in package["components"] if not part["bom-ref"].startswith("deb:")]
    installed = [part for part in status_parts(status) if part["name"] != "tillbox"]
    subject = package["metadata"]["component"]
    return document("tillbox-image", subject["version"], "container", linked + installed, None,
                    moment)
