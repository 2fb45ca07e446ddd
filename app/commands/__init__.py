"""The commands of `sameface`, a module for each noun. What they need beyond Typer is imported when a command runs."""
