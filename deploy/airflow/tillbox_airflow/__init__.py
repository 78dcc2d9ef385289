"""What the nightly DAG is made of: nights, the daemon's API, commands, reports and alerts.

Nothing here but `dags/` needs Airflow, so that it is tested without it; `hook.py` takes its
connection from Airflow where there is one.
"""
