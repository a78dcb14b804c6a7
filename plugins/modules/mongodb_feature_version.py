#!/usr/bin/python
"""Set MongoDB's featureCompatibilityVersion, which an upgrade to the next series requires.

Runs on the managed host with the application's Python, which has MongoDB's driver.
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: mongodb_feature_version
short_description: Sets MongoDB's featureCompatibilityVersion
description:
  - A new series of mongod only starts on data whose featureCompatibilityVersion is the series
    before. Raises it to that of the running mongod, and never lowers it.
  - Raised, the data can no longer be read by an older series.
options:
  version:
    description: The series that is running, such as V(7.0).
    type: str
    required: true
  port:
    description: Port of mongod on loopback.
    type: int
    default: 27017
  user:
    description: An administrator of the database, if it asks for one.
    type: str
    default: ""
  password:
    description: The administrator's password.
    type: str
    default: ""
  tls:
    description: Whether mongod speaks TLS. On loopback its name is not verified.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
"""

EXAMPLES = r"""
- name: Let the next series start on this data
  mongodb_feature_version:
    version: "7.0"
"""

RETURN = r"""
before:
  description: What it was.
  returned: success
  type: str
  sample: "6.0"
running:
  description: The series that is running.
  returned: success
  type: str
  sample: "7.0"
"""

import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# From this series on, the command asks for a confirmation.
CONFIRMED_FROM = (7, 0)


class Refused(Exception):
    """What the module fails with."""


def numbers(version: str) -> tuple[int, ...]:
    """Return the series of a version, such as (7, 0) for "7.0.14"."""
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None:
        raise Refused(f"mongod says that its version is {version!r}")
    return int(found.group(1)), int(found.group(2))


def raise_version(
    admin: Any, version: str, check_mode: bool, primary: Any = None
) -> dict[str, Any]:
    """Raise the version of the data to the running series.

    Args:
        admin: database `admin` of a connected client.
        version: the series that has to be running, such as "7.0".
        check_mode: whether to change nothing.
        primary: the same of the primary, which alone can raise it; None: `admin` can.

    Raises:
        Refused: another series is running, or the data is of a later one.
    """
    running = ".".join(map(str, numbers(str(admin.command("buildInfo")["version"]))))
    if running != version:
        raise Refused(f"mongod {running} is running where the package of {version} is installed")
    answer = admin.command({"getParameter": 1, "featureCompatibilityVersion": 1})
    before = str(answer["featureCompatibilityVersion"]["version"])
    if numbers(before) > numbers(version):
        raise Refused(f"the data is of {before} already, later than mongod {version}")
    changed = before != version
    if changed and not check_mode:
        command: dict[str, Any] = {"setFeatureCompatibilityVersion": version}
        if numbers(version) >= CONFIRMED_FROM:
            command["confirm"] = True
        (admin if primary is None else primary).command(command)
    return {"changed": changed, "before": before, "running": running}


def main() -> None:
    """Connect, raise the version, and answer with what it was."""
    module = AnsibleModule(
        argument_spec={
            "version": {"type": "str", "required": True},
            "port": {"type": "int", "default": 27017},
            "user": {"type": "str", "default": ""},
            "password": {"type": "str", "default": "", "no_log": True},
            "tls": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        import pymongo
    except ImportError:
        module.fail_json(msg="this Python has no PyMongo: deploy the application first")
    options: dict[str, Any] = {"serverSelectionTimeoutMS": 10_000}
    if given["tls"]:
        options |= {"tls": True, "tlsAllowInvalidCertificates": True}
    if given["user"]:
        options |= {"username": given["user"], "password": given["password"]}
    try:
        # Of a replica set, this member is asked, and its primary takes the command.
        with (
            pymongo.MongoClient(
                "127.0.0.1", given["port"], directConnection=True, **options
            ) as client,
            pymongo.MongoClient(
                "127.0.0.1", given["port"], directConnection=False, **options
            ) as any_member,
        ):
            answer = raise_version(
                client.admin, given["version"], module.check_mode, any_member.admin
            )
    except (Refused, pymongo.errors.PyMongoError) as error:
        module.fail_json(msg=str(error).split(", full error", maxsplit=1)[0])
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
