"""Why Ansible cannot read an inventory, out of what it says on standard error, in one line."""

from __future__ import annotations

import re
import shlex

import yaml

from controller.deploy.errors import DeployError
from controller.deploy.paths import ROOT

__all__ = ["GROUP", "no_hosts", "vault_error"]

GROUP = "tox_com_det"
# How ansible-core marks an error: until 2.18, and from 2.19 on.
_MARK = re.compile(r"(?:ERROR!|\[ERROR\]:)\s*")
_NOTHING_MATCHED = re.compile(r"[Nn]o(?:t| hosts) match|leaves us with no hosts")
_NOT_PARSED = re.compile(r"(?:Unable|failed) to parse")
# Why, and where, in ansible-core 2.19: the first that has a line counts.
_ORIGIN = re.compile(
    r"^(?P<why>.+)\nOrigin: (?P<file>[^<\n]+?)(?P<line>:\d+)?(?::\d+)?$", re.MULTILINE
)
# In ansible-core before that, in paragraphs that are wrapped anywhere: of a YAML file, of others.
_SYNTAX = re.compile(
    r"Syntax Error while loading YAML\.\s+(?P<why>.+?)\s+The error appears to be in "
    r"'(?P<file>[^']+\.(?:ya?ml|json))': line (?P<line>\d+)"
)
_INI = re.compile(
    r"Failed to parse (?P<file>(?:(?! with ).)+) with ini plugin: "
    r"(?:(?P=file):(?P<line>\d+): )?(?P<why>.+?)(?= \[WARNING\]| ERROR!|$)"
)
_VARIABLES = ("group_vars", "host_vars")


def no_hosts(where: str, limit: str | None, code: int, stderr: str) -> DeployError:
    """Return why Ansible found no host, in one line."""
    words = _error(stderr)
    if "vault.yml does not exist" in words:  # of callback plugin vault_password
        return DeployError(words)
    if "vault" in words.lower() and not _NOT_PARSED.search(words):
        return vault_error(where, words)
    if code and words and not _NOTHING_MATCHED.search(words):
        return _unreadable(where, words, stderr)
    if limit is not None:
        graph = shlex.join(["ansible-inventory", "-i", where, "--graph"])
        return DeployError(
            f"no host of group {GROUP} in {where} matches --limit {limit}: see `{graph}`, then "
            "choose another --limit"
        )
    return DeployError(
        f"{where} has no host in group {GROUP}: run `make up` for a local server, "
        "or choose another inventory with --inventory"
    )


def vault_error(where: str, words: str) -> DeployError:
    """Return the line for a vault that cannot be opened."""
    return DeployError(
        f"{where} contains vault secrets that cannot be decrypted ({words}): "
        "set ANSIBLE_VAULT_PASSWORD_FILE to the file with the vault's password"
    )


def _error(stderr: str) -> str:
    """Return the lines that are marked as errors, or else the last one."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if _MARK.match(line)]
    return " ".join(_MARK.sub("", line, count=1).strip() for line in errors or lines[-1:])


def _unreadable(where: str, words: str, stderr: str) -> DeployError:
    """Return the line for an inventory with an error in one of its files."""
    why, file = _reason(stderr) or (words, _broken_variables(where))
    why = " ".join(why.split()).rstrip(".")
    if "decrypt" in why:
        return vault_error(where, why)
    if not file:
        command = shlex.join(["ansible-inventory", "-i", where, "--list"])
        return DeployError(f"{where} cannot be read: {why}: see `{command}`")
    return DeployError(
        f"{where} cannot be read: {why} ({file}): correct the file, then rerun the command"
    )


def _reason(stderr: str) -> tuple[str, str] | None:
    """Return what is wrong in which file and line, if Ansible names the file."""
    found = list(_ORIGIN.finditer(stderr))
    if found:
        first = next((one for one in found if one["line"]), found[0])
        return first["why"], f"{first['file']}{first['line'] or ''}"
    # Lines are also broken after a hyphen.
    text = " ".join(re.sub(r"(?<=\w-)\n(?=\w)", "", stderr).split())
    match = _SYNTAX.search(text) or _INI.search(text)
    if match is None:
        return None
    return match["why"], match["file"] + (f":{match['line']}" if match["line"] else "")


def _broken_variables(where: str) -> str:
    """Return the file and line of variables that are no YAML: core 2.19 does not name them."""
    place = ROOT / where
    directory = place if place.is_dir() else place.parent
    for path in sorted(one for name in _VARIABLES for one in directory.glob(f"{name}/**/*.y*ml")):
        try:
            # Only its syntax: without the values, a vault needs no password.
            for _ in yaml.compose_all(path.read_text(encoding="utf-8"), yaml.SafeLoader):
                pass
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            return f"{path}:{mark.line + 1}" if mark else str(path)
        except (OSError, ValueError, yaml.YAMLError):
            return str(path)
    return ""
