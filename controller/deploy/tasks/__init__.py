"""What the fab tasks do, one module per task. `fabfile.py` gives them their names and options."""

from controller.deploy.tasks import (
    build_model,
    check_model,
    collect_scores,
    deploy_app,
    deploy_model,
    fit_scores,
    keys,
    logs,
    prune,
    releases,
    renew_certificate,
    restore_embeddings,
    rollback,
    status,
    tune_thresholds,
    unlock,
)

__all__ = [
    "build_model",
    "check_model",
    "collect_scores",
    "deploy_app",
    "deploy_model",
    "fit_scores",
    "keys",
    "logs",
    "prune",
    "releases",
    "renew_certificate",
    "restore_embeddings",
    "rollback",
    "status",
    "tune_thresholds",
    "unlock",
]
