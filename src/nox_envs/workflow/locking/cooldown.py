"""Owns what a span such as `7 days` means at one moment; reads no clock."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_HOURS = {"hour": 1, "day": 24, "week": 24 * 7}


def cutoff(text: str | None, now: datetime | None) -> str:
    """Return the time (RFC 3339) before which a span lets releases in; empty for a date or no span.

    `now` has a time zone. The result goes to a resolver, never into a file: the lock records the
    span, so that nothing moves while nothing changes.
    """
    number, _, unit = (text or "").partition(" ")
    hours = _HOURS.get(unit.rstrip("s"))
    if now is None or hours is None or not number.isdecimal():
        return ""
    moment = now.astimezone(timezone.utc) - timedelta(hours=int(number) * hours)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
