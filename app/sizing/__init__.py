"""How much memory, disk and how many machines a gallery needs: arithmetic, with constants that were measured."""
