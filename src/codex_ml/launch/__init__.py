"""From the command line to a run: compose, check, assemble, execute, record."""
