"""Owns what an installation leaves behind once it is proved: the receipt and the stamps; installs nothing."""

from __future__ import annotations

from pathlib import Path

from nox_envs import receipt as receipts
from nox_envs.integrity import stamps as stamp_file
from nox_envs.integrity.hooks import owned_hooks
from nox_envs.integrity.startup import created_files
from nox_envs.integrity.types import Depth
from nox_envs.receipt import KnownFile, Receipt
from nox_envs.snapshot import Snapshot, take
from nox_envs.values import replace
from nox_envs.workflow.expectation import Checked
from nox_envs.workflow.source_tree import tree_of

# What an installer left is compared down to its files, whatever later runs look at: a file in its cache
# may have been edited through a link. Such a file is younger than the METADATA that was unpacked with it,
# so that the others need not be read.
PROOF = Depth(files="changed", consistency=True, stamping=True, installed=True)

_DAMAGE = frozenset({"file-modified", "file-missing"})
_FILES = frozenset({*_DAMAGE, "unowned", "clobbered"})


def created_in(location: Path) -> tuple[KnownFile, ...]:
    """Return what the creator of the new venv at `location` left in it."""
    return created_files(take(location))


def receipt_of(
    snapshot: Snapshot, *, lock: str, installer: str, project: str, own: str, created: tuple[KnownFile, ...]
) -> Receipt:
    """Make the receipt of a venv as it is now, with the startup files that RECORDs answer for.

    `own` is the name of the project itself, whose fingerprint is `project`.
    """
    return receipts.of(
        snapshot,
        lock=lock,
        installer=installer,
        project=project,
        created=created,
        startup=owned_hooks(snapshot),
        tree_of=lambda distribution: "" if distribution.name == own else tree_of(distribution.source),
    )


def after_repair(receipt: Receipt | None, *, project: str) -> Receipt | None:
    """Return what is left of a receipt when parts of its venv were installed again.

    They have other RECORDs than before, and the project, whose fingerprint is `project`, was built
    again if it had changed, as was every other directory.
    """
    if receipt is None:
        return None
    distributions = tuple(
        replace(one, record="", tree=tree_of(one.source) if one.tree else "") for one in receipt.distributions
    )
    return replace(receipt, distributions=distributions, project=project)


def write(location: Path, receipt: Receipt, checked: Checked) -> None:
    """Write the stamps, if any were made, and the receipt last; raises NoxEnvsError."""
    if checked.stamps:
        stamp_file.write(location, checked.stamps)
    receipts.write(location, receipt)


def damage(checked: Checked) -> Checked:
    """Return a check with no other findings than those on files that an installation mends."""
    return replace(checked, findings=tuple(f for f in checked.mendable if f.kind in _DAMAGE))


def as_deep_as(checked: Checked, depth: Depth) -> Checked:
    """Return a check without what only a deeper one than asked for has found.

    An artifact whose own RECORD is wrong is nothing that an installation can mend.
    """
    if depth.files != "off":
        return checked
    return replace(checked, findings=tuple(f for f in checked.findings if f.kind not in _FILES))
