"""The families of chips that boards carry."""

from . import ecp5, gowin, ice40

__all__ = ["FAMILIES"]

FAMILIES = {family.name: family for family in (ecp5.FAMILY, gowin.FAMILY, ice40.FAMILY)}
