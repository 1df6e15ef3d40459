"""Owns the marker variables of the interpreter that runs (PEP 508, environment markers); no other's."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping


def markers() -> Mapping[str, str]:
    """Return the marker variables of the running interpreter, without waiting for packaging."""
    import platform

    implementation = sys.implementation
    version = ".".join(str(part) for part in implementation.version[:3])
    if implementation.version.releaselevel != "final":
        version += f"{implementation.version.releaselevel[0]}{implementation.version.serial}"
    return {
        "implementation_name": implementation.name,
        "implementation_version": version,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }
