"""`fab create-server`, `fab servers`, `fab destroy-server`: their options and questions."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.deploy.cli import DRY_RUN
from controller.deploy.errors import DeployError
from controller.deploy.paths import absolute
from controller.progress import print_table

if TYPE_CHECKING:
    from controller.cloud.inventories import Inventory

__all__ = ["CREATE_HELP", "DESTROY_HELP", "LIST_HELP", "create_server", "destroy_server", "servers"]

INVENTORY_HELP = "directory of your own, such as inventory/mine (default: $ANSIBLE_INVENTORY)"
CREATE_HELP = {
    "label": "of the server, its name at Linode and in the inventory",
    "region": "of Linode, such as de-fra-2",
    "image": "the system (default: linode/debian13)",
    "type": "the plan (default: g6-nanode-1, 1 GB)",
    "key": "your public SSH key (default: the inventory's ansible_ssh_private_key_file with .pub)",
    "domain": "a domain in Linode's DNS Manager, for a record that points at the server",
    "name": "of that record, such as api (default: the domain itself)",
    "user_data": "file for cloud-init (#cloud-config or a script) in addition to this project's",
    "yes": "do not ask whether to spend the money",
    "inventory": INVENTORY_HELP + ", which is made if it is missing",
    **DRY_RUN,
}
DESTROY_HELP = {
    "label": "of the server",
    "confirm": "its label once more, in place of typing it when asked",
    "inventory": INVENTORY_HELP,
    **DRY_RUN,
}
LIST_HELP = {
    "inventory": "directory whose vault has the token (default: $ANSIBLE_INVENTORY)",
    "dry_run": "the same: listing changes nothing",
}
KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")


def create_server(
    label: str | None = None,
    region: str | None = None,
    image: str | None = None,
    type: str | None = None,  # an option's name
    key: str | None = None,
    domain: str | None = None,
    name: str | None = None,
    user_data: str | None = None,
    yes: bool = False,
    inventory: str | None = None,
    dry_run: bool = False,
) -> None:
    """Create a server at Linode with firewall and host key, and write it into the inventory."""
    # Linode's library is imported by what needs it alone: 0.2 s.
    from controller.cloud.create import Session
    from controller.cloud.create import create_server as create
    from controller.cloud.inventories import find_inventory, make_inventory, read_inventory
    from controller.cloud.keys import public_key
    from controller.cloud.offers import IMAGE, TYPE
    from controller.cloud.server import Wish, check_label

    label = check_label(label, "create-server")
    if not region:
        raise DeployError(
            "--region is missing, such as --region de-fra-2: see `fab --help create-server`"
        )
    if name and not domain:
        raise DeployError("--name is that of a record in a domain: add --domain")
    path = find_inventory(inventory)
    if not path.exists() and not dry_run:
        make_inventory(path)
        say(f"made {path} of inventory/example: its group_vars say how sudo authenticates")
    chosen = read_inventory(path)
    public = _public_key_file(key, chosen)
    words = public_key(public)
    private = public.with_suffix("")
    wish = Wish(
        label=label,
        region=region,
        image=image or IMAGE,
        type=type or TYPE,
        key=words,
        own=absolute(user_data) if user_data else None,
        domain=domain.lower().rstrip(".") if domain else None,
        name=name.lower() if name else None,
    )
    session = Session(
        client=_client(chosen),
        inventory=chosen,
        say=say,
        agree=lambda question: yes or _agreed(question),
        key_file=private if public.suffix == ".pub" and private.is_file() else None,
        host_variables={"ansible_ssh_private_key_file": str(private)} if key else {},
    )
    if not create(session, wish, dry_run=dry_run) or dry_run:
        return
    if examples := read_inventory(path).examples():
        say(f"remove the example's host {examples[0]} from {path / 'hosts.yml'}")
    say(
        f"next: `export ANSIBLE_INVENTORY={path}`, `ansible-playbook playbooks/bootstrap.yml`, "
        "`ansible-playbook site.yml`, `fab build-model restore-embeddings deploy-model test-model`"
        "; what to set before: docs/servers.md"
    )


def destroy_server(
    label: str | None = None,
    confirm: str | None = None,
    inventory: str | None = None,
    dry_run: bool = False,
) -> None:
    """Destroy a server at Linode with its firewall, DNS record and inventory file."""
    from controller.cloud.destroy import destroy_server as destroy
    from controller.cloud.inventories import find_inventory, read_inventory
    from controller.cloud.server import check_label

    label = check_label(label, "destroy-server")
    if confirm is not None and confirm != label:
        raise DeployError(f"--confirm is {confirm!r}, not {label!r}: nothing was destroyed")
    chosen = read_inventory(find_inventory(inventory))
    destroy(
        _client(chosen),
        chosen,
        label,
        say,
        lambda: not dry_run and (confirm == label or _typed(label)),
    )


def servers(inventory: str | None = None, dry_run: bool = False) -> None:
    """List the servers at Linode with what each costs a month, and the sum."""
    from controller.cloud.inventories import Inventory, find_inventory, read_inventory
    from controller.cloud.listing import HEADER, list_servers
    from controller.cloud.offers import dollars

    has_token = bool(os.environ.get("LINODE_TOKEN"))
    chosen = Inventory(Path()) if has_token else read_inventory(find_inventory(inventory))
    listing = list_servers(_client(chosen))
    if not listing.rows:
        say("no server, nothing to pay for servers")
        return
    print_table(HEADER, listing.rows)
    more = f", and {listing.unknown} without a known price" if listing.unknown else ""
    say(
        f"{dollars(listing.monthly)} a month before tax{more}. Volumes, NodeBalancers, object "
        "storage and traffic above what is included are not in it: see "
        "https://cloud.linode.com/account/billing"
    )


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def _client(inventory: Inventory) -> Any:
    from controller.cloud.api import open_client, token_of

    return open_client(token_of(os.environ, inventory.variables), say)


def _public_key_file(typed: str | None, inventory: Inventory) -> Path:
    """Return the file of the operator's public key."""
    if typed:
        return absolute(typed)
    private = str(inventory.variables.get("ansible_ssh_private_key_file") or "")
    if private and "{{" not in private:
        return absolute(f"{private}.pub")
    found = [path for kind in KEYS if (path := Path.home() / ".ssh" / f"{kind}.pub").is_file()]
    if not found:
        raise DeployError(
            "there is no public SSH key in ~/.ssh: make one with `ssh-keygen -t ed25519`, or name "
            "one with --key"
        )
    return found[0]


def _agreed(question: str) -> bool:
    """Ask on a terminal; DeployError without one."""
    if not sys.stdin.isatty():
        raise DeployError(
            "nothing was created: there is no terminal to confirm the price on, rerun "
            "`fab create-server --yes`"
        )
    return _answer(f"{question} [y/N] ").lower() in ("y", "yes")


def _typed(label: str) -> bool:
    """Have the label typed on a terminal; DeployError without one."""
    if not sys.stdin.isatty():
        raise DeployError(
            "nothing was destroyed: there is no terminal to type the label on, rerun "
            f"`fab destroy-server --confirm {label}`"
        )
    return _answer(f"type the label to destroy it, {label}: ") == label


def _answer(question: str) -> str:
    """Return what is typed; nothing for Ctrl-D."""
    try:
        return input(question).strip()
    except EOFError:
        print()
        return ""
