"""The pipeline under Prefect: order, retries, schedules, cancellation.

Nothing imports this, and only this imports prefect. Stages are started through `dvc repro` alone.
"""
