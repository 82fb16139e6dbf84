"""Whether others than this machine can reach the API, and whether it is fit for that."""

import ipaddress
import json
import stat
from pathlib import Path

PRIVATE = stat.S_IRWXG | stat.S_IRWXO


def is_exposed(host: str) -> bool:
    """Whether an address to listen on can be reached from other machines; a name that is not `localhost` may be."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() != "localhost"


def refusal(host: str, keys_file: Path, admin_key_file: Path) -> str | None:
    """Why the API must not listen there, and what to do; None when it may. On loopback it always may: the first start makes a key."""
    if not is_exposed(host):
        return None
    opened = f"GROUNDWORK_HOST={host} lets other machines reach the API"
    if not _has_keys(keys_file):
        make = "`groundwork keys create --role admin --offline` makes one; or start once on 127.0.0.1"
        return f"{opened}, and there is no key yet: {make}"
    for file in (keys_file, admin_key_file):
        if file.exists() and stat.S_IMODE(file.stat().st_mode) & PRIVATE:
            return f"{opened}, and others than its owner can use {file}: `chmod 600 {file}`, and rotate the key if they may have read it"
    if stat.S_IMODE(keys_file.parent.stat().st_mode) & stat.S_IWOTH:
        return f"{opened}, and everybody may write to {keys_file.parent}, so also replace its keys: `chmod o-w {keys_file.parent}`"
    return None


def _has_keys(file: Path) -> bool:
    try:
        return bool(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError):
        return False
