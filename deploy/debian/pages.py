"""What the package says about itself, made from what the program says: manual pages from
`tillbox --experimental-dump-help`, and tillbox.conf with its page from docs/CONFIGURATION.md, whose
keys a test of the program keeps equal to those it knows.
"""

import json
import re
import textwrap
from dataclasses import dataclass

WIDTH = 98
CREDENTIALS = "/run/credentials/tillbox.service"
# Set in the package's file: a box in a back office, whose secrets systemd hands over.
SET = {
    "profile": "edge",
    "data": "/var/lib/tillbox",
    "webhook.secret_file": f"{CREDENTIALS}/secret_webhook",
}
# Where there is no default, what it would look like here.
EXAMPLES = {
    "stripe.api_key_file": f"{CREDENTIALS}/secret_stripe",
    "webhook.endpoints": "[eu]",
    "kafka.password_file": f"{CREDENTIALS}/secret_kafka",
    "redis.password_file": f"{CREDENTIALS}/secret_redis",
    "postgres.password_file": f"{CREDENTIALS}/secret_postgres",
    "admin.token_file": f"{CREDENTIALS}/secret_admin-token",
    "admin.tls_key_file": f"{CREDENTIALS}/secret_console-key",
    "bigquery.key_file": f"{CREDENTIALS}/secret_bigquery",
    "backup.folder": "/var/backups/tillbox",
    "backup.key_file": f"{CREDENTIALS}/secret_backup",
    "alerts.url_file": f"{CREDENTIALS}/secret_alerts",
    "bridges": "[kafka, redis, postgres]",
    "verdict.amount_limits": "[usd:500000, eur:450000]",
    "kafka.bootstrap": "broker-1:9092",
    "redis.url": "rediss://redis.example:6379",
    "postgres.url": "postgresql://tillbox@db.example/tillbox?sslmode=verify-full",
}


@dataclass
class Setting:
    """One key of the configuration, and its default as the file would have it; None where there is
    none that could stand there."""
    key: str
    default: str | None


@dataclass
class Row:
    """Keys that docs/CONFIGURATION.md tells of together, and what it says, in Markdown."""
    settings: list[Setting]
    meaning: str


def plain(markdown: str) -> str:
    """Markdown without its marks; a link keeps its words, and names its page."""
    text = re.sub(r"\[([^\]]+)\]\(([^)]+)\)", lambda m: m[1], markdown)
    return text.replace("\\|", "|").replace("`", "").strip()


def rows(page: str) -> list[Row]:
    """The tables of docs/CONFIGURATION.md, in their order."""
    found = []
    for line in page.splitlines():
        if not line.startswith("| `"):
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        keys = re.findall(r"`([^`]+)`", cells[0])
        # `.secret_file` behind `webhook.endpoint.<name>.secret` is short for the whole.
        stem = keys[0].rsplit(".", 1)[0]
        keys = [stem + key if key.startswith(".") else key for key in keys]
        words = re.fullmatch(r"(`[^`]*`|[0-9]+)(, (`[^`]*`|[0-9]+))*", cells[1])
        values = [plain(value) for value in cells[1].split(", ")] if words else []
        if len(values) == 1:
            values *= len(keys)
        meaning = cells[2]
        if not words and plain(cells[1]) not in ("none", "as above"):
            meaning += f". Default: {cells[1]}"
        defaults = values or [None] * len(keys)
        if len(defaults) != len(keys):
            raise SystemExit(f"docs/CONFIGURATION.md: {cells[0]} has {len(defaults)} defaults")
        found.append(Row([Setting(k, d) for k, d in zip(keys, defaults)], meaning))
    if not found:
        raise SystemExit("docs/CONFIGURATION.md has no table of keys")
    return found


def sentence(markdown: str) -> str:
    """A cell as a sentence; a value at its head stays as it is written."""
    text = plain(markdown)
    text = text if markdown.startswith("`") else text[:1].upper() + text[1:]
    return text if text.endswith((".", "?")) else text + "."


def configuration(page: str) -> str:
    """tillbox.conf: every key with its default behind a #, and those set that a package sets.

    `# words` is a comment, `#key: value` a setting that holds its default: take the # away and
    write another value. Groups stand without a #, so that a key below needs nothing else.
    """
    lines = [
        "# Tillbox's configuration (YAML). A line that begins with # and a blank explains; one",
        "# that begins with # alone is a setting with its default: take the # away to set another.",
        "# `tillbox init` asks for what has to be set. Secrets do not stand here: each is a file",
        "# in /etc/tillbox/secrets, and systemd hands FILE to the service as",
        f"# {CREDENTIALS}/secret_FILE.",
        "# After a change: systemctl restart tillbox. All of it: man tillbox.conf.",
    ]
    groups: dict[str, list[Row]] = {}
    for row in rows(page):
        key = row.settings[0].key
        groups.setdefault(key.split(".")[0] if "." in key else key, []).append(row)
    for group, members in groups.items():
        nested = any("." in s.key for row in members for s in row.settings)
        lines += [""] + ([f"{group}:"] if nested else [])
        for row in members:
            lines += settings_lines(row, "  " if nested else "")
    return "\n".join(lines) + "\n"


def settings_lines(row: Row, indent: str) -> list[str]:
    comment = textwrap.wrap(
        sentence(row.meaning), WIDTH - len(indent) - 2, break_on_hyphens=False,
        break_long_words=False)
    lines = [f"{indent}# {line}" for line in comment]
    if "<name>" in row.settings[0].key:
        # Of a name that the file's owner chooses: an example, which is no setting.
        lines.append(f"{indent}#endpoint:")
        lines.append(f"{indent}#  eu:")
        for setting in row.settings:
            name = setting.key.rsplit(".", 1)[1]
            value = {"secret_file": f" {CREDENTIALS}/secret_webhook-eu", "livemode": " live"}
            lines.append(f"{indent}#    {name}:{value.get(name, '')}")
        return lines
    for setting in row.settings:
        name = setting.key.split(".", 1)[-1]
        if setting.key in SET:
            lines.append(f"{indent}{name}: {SET[setting.key]}")
            continue
        value = setting.default if setting.default is not None else EXAMPLES.get(setting.key, "")
        lines.append(f"{indent}#{name}:{' ' + quoted(value) if value else ''}")
    return lines


def quoted(value: str) -> str:
    """A value of YAML; the program takes what is written as text, so that few need marks."""
    return f'"{value}"' if value.endswith(":") or value != value.strip() else value


# Manual pages.


def roff(text: str) -> str:
    """Text as troff reads it: no escape, no request at the head of a line, hyphens as typed."""
    escaped = text.replace("\\", "\\(rs").replace("-", "\\-")
    lines = escaped.splitlines() or [""]
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in lines)


def head(name: str, section: int, day: str, version: str) -> list[str]:
    title = "Tillbox" if section == 1 else "Configuration"
    return [f'.TH "{name.upper()}" {section} "{day}" "Tillbox {version}" "{title}"']


def option_names(argument: dict) -> str:
    names = []
    for name in argument.get("names", []):
        mark = "--" if name["kind"] == "long" else "-"
        names.append(f"\\fB{roff(mark + name['name'])}\\fR")
    # -h before --help, as everywhere.
    names.sort(key=len)
    value = argument.get("valueName", "value")
    if argument["kind"] == "positional":
        return f"\\fI{roff(value)}\\fR"
    text = ", ".join(names)
    return text if argument["kind"] == "flag" else f"{text} \\fI{roff(value)}\\fR"


def argument_lines(argument: dict) -> list[str]:
    words = argument.get("abstract", "")
    words += "\n\n" + argument["discussion"] if argument.get("discussion") else ""
    values = argument.get("allValues") or argument.get("allValueStrings")
    if values:
        words += f" One of {', '.join(values)}."
    default = argument.get("defaultValue")
    if default and argument["kind"] != "flag":
        words += f" Default {default}."
    lines = [".TP", option_names(argument)]
    paragraphs = [p for p in words.strip().split("\n\n") if p]
    for place, paragraph in enumerate(paragraphs or [""]):
        lines += ([".IP"] if place else []) + [roff(" ".join(paragraph.split()))]
    return lines


def synopsis(path: list[str], command: dict) -> str:
    parts = [f"\\fB{roff(' '.join(path))}\\fR"]
    if command.get("subcommands"):
        parts.append("\\fIcommand\\fR")
    for argument in shown(command):
        text = option_names(argument).split(", ")[-1]
        text += " ..." if argument.get("isRepeating") else ""
        parts.append(f"[{text}]" if argument.get("isOptional") else text)
    return " ".join(parts)


def shown(command: dict) -> list[dict]:
    return [a for a in command.get("arguments", []) if a.get("shouldDisplay", True)]


def subcommands(command: dict) -> list[dict]:
    """Without `help`, which every group has."""
    return [c for c in command.get("subcommands", [])
            if c["commandName"] != "help" and c.get("shouldDisplay", True)]


def manual(dump: str, version: str, day: str) -> dict[str, str]:
    """A page for each command, by file name.

    - dump: what `tillbox --experimental-dump-help` prints.
    - day: of the release, as 2026-11-27.
    """
    pages: dict[str, str] = {}

    def add(command: dict, above: list[str], sisters: list[str]) -> None:
        path = above + [command["commandName"]]
        name = "-".join(path)
        below = subcommands(command)
        lines = head(name, 1, day, version)
        lines += [".SH NAME", f"{roff(name)} \\- {roff(command.get('abstract', '').rstrip('.'))}"]
        lines += [".SH SYNOPSIS", synopsis(path, command)]
        if command.get("discussion"):
            lines.append(".SH DESCRIPTION")
            for paragraph in command["discussion"].strip().split("\n\n"):
                lines += [".PP", roff(" ".join(paragraph.split()))]
        if below:
            lines.append(".SH COMMANDS")
            for child in below:
                lines += [".TP", f"\\fB{roff(child['commandName'])}\\fR",
                          roff(child.get("abstract", ""))]
        if shown(command):
            lines.append(".SH OPTIONS")
            for argument in shown(command):
                lines += argument_lines(argument)
        if not above:
            lines += files_and_status()
        also = ["-".join(path + [c["commandName"]]) for c in below] or sisters
        also = ([] if not above else ["-".join(above)]) + [page for page in also if page != name]
        entries = [f"\\fB{roff(page)}\\fR(1)" for page in also] + ["\\fBtillbox.conf\\fR(5)"]
        lines += [".SH SEE ALSO", ",\n".join(entries)]
        pages[f"{name}.1"] = "\n".join(lines) + "\n"
        for child in below:
            add(child, path, ["-".join(path + [c["commandName"]]) for c in below])

    add(json.loads(dump)["command"], [], [])
    return pages


def files_and_status() -> list[str]:
    return [
        ".SH EXIT STATUS", "0 done, 1 a check found something, 2 wrong usage, 3 cannot run,",
        "78 (run) a mistake in the configuration, after which systemd does not start it again.",
        ".SH FILES",
        ".TP", "\\fI/etc/tillbox/tillbox.conf\\fR", "the service's configuration",
        ".TP", "\\fI/etc/tillbox/secrets\\fR",
        "a file for each secret, which systemd hands to the service",
        ".TP", "\\fI/var/lib/tillbox\\fR", "the data folder: the log, the ledger and snapshots",
    ]


def configuration_manual(page: str, version: str, day: str) -> str:
    """tillbox.conf(5)."""
    lines = head("tillbox.conf", 5, day, version)
    lines += [
        ".SH NAME", "tillbox.conf \\- configuration of Tillbox",
        ".SH DESCRIPTION",
        roff("One YAML file. Every key may also be an environment variable, which wins: "
             "webhook.port is TILLBOX_WEBHOOK_PORT. A key that nobody knows is an error that names "
             "its line and the nearest known one."),
        ".SH KEYS",
    ]
    for row in rows(page):
        for place, setting in enumerate(row.settings):
            lines += [".TP" if place == 0 else ".TQ", f"\\fB{roff(setting.key)}\\fR"]
        defaults = [s.default for s in row.settings if s.default is not None]
        text = sentence(row.meaning)
        if defaults:
            text += f" Default {', '.join(dict.fromkeys(defaults))}."
        lines.append(roff(text))
    lines += [".SH SEE ALSO", "\\fBtillbox\\fR(1),\n\\fBtillbox\\-run\\fR(1),\n"
              "\\fBsystemd.exec\\fR(5)"]
    return "\n".join(lines) + "\n"
