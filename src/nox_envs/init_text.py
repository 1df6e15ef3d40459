"""The keys of a spec as the text of a YAML file."""

from __future__ import annotations

import re
from typing import TypeAlias

Yaml: TypeAlias = "str | list[Yaml] | dict[str, Yaml]"
Keys: TypeAlias = dict[str, Yaml]

_ORDER = (
    *(
        "description",
        "name",
        "python",
        "platforms",
        "matrix",
        "exclude",
        "requirements",
        "constraints",
        "package",
    ),
    *("allow_prereleases", "commands_pre", "commands", "commands_post", "set_env", "pass_env", "change_dir"),
    *("tags", "default", "lock", "overrides"),
)
_WIDTH = 100


def environment(name: str, keys: Keys) -> str:
    """Return an environment as an entry of `environments`; keys without content are left out."""
    return f"  {_rendered(name, {key: keys[key] for key in _ORDER if keys.get(key)}, 4)}\n"


def scalar(text: str) -> str:
    """Return a text as YAML, in quotes where it needs them."""
    if re.fullmatch(r"(?!(?i:null)$)[A-Za-z./](?:[A-Za-z0-9./_ -]*[A-Za-z0-9./_-])?", text):
        return text
    escaped = (f"\\{c}" if c in '"\\' else c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
    return f'"{"".join(escaped)}"'


def _rendered(key: str, content: Yaml, indent: int) -> str:
    """Return a key of a mapping as YAML: on one line if it fits, else its entries `indent` deep."""
    line, space = f"{scalar(key)}: {_flow(content)}", " " * indent
    nested = key in ("matrix", "overrides", "environments") or indent == 4
    if not content or isinstance(content, str) or (len(line) + indent <= _WIDTH and not nested):
        return line
    if isinstance(content, dict):
        return f"{scalar(key)}:\n" + "\n".join(
            [space + _rendered(one, of, indent + 2) for one, of in content.items()]
        )
    return f"{scalar(key)}:\n" + "\n".join([f"{space}- {_item(one, indent + 2)}" for one in content])


def _item(content: Yaml, indent: int) -> str:
    flow = _flow(content)
    if not isinstance(content, dict) or len(flow) + indent <= _WIDTH:
        return flow
    return f"\n{' ' * indent}".join([_rendered(one, of, indent + 2) for one, of in content.items()])


def _flow(content: Yaml) -> str:
    if isinstance(content, dict):
        return "{" + ", ".join([f"{scalar(key)}: {_flow(one)}" for key, one in content.items()]) + "}"
    return "[" + ", ".join(map(_flow, content)) + "]" if isinstance(content, list) else scalar(content)
