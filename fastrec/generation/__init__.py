"""Playlists made step by step from a recurrent net: rules, strategies, likelihoods, sessions."""

from fastrec.generation.groups import Groups
from fastrec.generation.playlists import Playlists
from fastrec.generation.rules import Rules
from fastrec.generation.sessions import Session, SessionStates

__all__ = ["Groups", "Playlists", "Rules", "Session", "SessionStates"]
