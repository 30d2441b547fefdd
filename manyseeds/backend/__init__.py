"""The contract between the harness and a backend, and what the compiled backends share."""
