"""A finished run, put into MLflow: what dvc.lock and DVC's cache have of it.

Commands import this; only this imports MLflow. Training writes for DVCLive and knows nothing of it.
"""
