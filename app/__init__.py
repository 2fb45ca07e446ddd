"""sameface: face verification and identification over HTTP. Imports go one way (docs/architecture.md)."""

__version__ = "0.1.0"
