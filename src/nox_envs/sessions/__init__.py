"""Owns the nox side: sessions made from points, and what they ask of nox; the only importer of nox."""

from nox_envs.sessions.registration import load

__all__ = ["load"]
