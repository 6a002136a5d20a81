"""Errors that tell a user what is wrong, where, and what to do about it.

Each message is one sentence that names the file (or flag) and the remedy. Commands print it and
leave with exit code 2; a traceback therefore always means a defect of disanat itself.
"""

from __future__ import annotations

__all__ = [
    "BusyError",
    "DatasetError",
    "DisanatError",
    "ImageError",
    "ImplausibleError",
    "ModelError",
    "PlanError",
]


class DisanatError(Exception):
    """Base of every mistake that the user can mend."""


class BusyError(DisanatError):
    """A folder is being written to by another process."""


class DatasetError(DisanatError):
    """A dataset folder, its `dataset.json` or its cases are not as they must be."""


class ImageError(DisanatError):
    """An image cannot be read or used."""


class ImplausibleError(ImageError):
    """What was found in an image cannot be a brain: the case is left out, never used silently."""


class PlanError(DisanatError):
    """A plan is missing, damaged, or cannot be carried out."""


class ModelError(DisanatError):
    """A trained model is missing, damaged, or does not fit the request."""
