"""Worker processes: how they are started, talked to and ended, and the machine they run on."""
