"""From a plan to records: jobs, cohorts, epochs, scores."""
