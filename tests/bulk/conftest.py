"""A CompreFace to import from."""

from tests.bulk.compreface import compreface_api, compreface_database  # noqa: F401
from tests.gallery.conftest import postgres  # noqa: F401
