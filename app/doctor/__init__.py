"""What must be right for a service to run, each thing looked at, and what to do where it is not: `sameface doctor`."""
