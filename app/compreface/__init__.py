"""The REST API of CompreFace 1.2 over the same service, for clients that were made for it; see docs/compreface.md.

A setting turns it on. Paths, parameters, fields, pages and error numbers are CompreFace's; keys, scopes, limits and
decisions are sameface's own.
"""
