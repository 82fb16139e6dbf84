"""When: schedules, retries and order of the work, as Prefect runs."""
