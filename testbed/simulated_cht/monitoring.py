"""`GET /api/v2/monitoring`: what a CHT says about itself to anybody."""

from typing import Any

from testbed.simulated_cht.simulation import Simulation

VERSION = "5.2.0"
OUTGOING = ("due", "scheduled", "muted", "failed", "delivered")
PENDING = ("pending", "forwarded-to-gateway", "received-by-gateway", "forwarded-by-gateway")
MUTED = ("denied", "cleared", "muted", "duplicate")


def monitoring_of(state: Simulation) -> dict[str, Any]:
    """The documents are counted; what the simulation does not have is zero."""
    medic = _database("medic", state.medic.document_count, state.medic.deleted_count)
    index = {"name": "medic/docs_by_replication_key", "doc_count": 0, "file_size": 0}
    return {
        "version": {"app": VERSION, "node": "v22.23.3", "couchdb": "3.5.0"},
        "couchdb": {
            "medic": medic | {"nouveau_indexes": [index]},
            "sentinel": _database("medic-sentinel"),
            "usersmeta": _database("medic-users-meta"),
            "users": _database("_users", state.database("_users").document_count),
        },
        "date": {
            "current": int(state.clock() * 1000),
            "uptime": state.clock() - state.started,
        },
        "sentinel": {"backlog": 0},
        "messaging": {"outgoing": _messages()},
        "outbound_push": {"backlog": 0},
        "feedback": {"count": 0},
        "conflict": {"count": 0},
        "replication_limit": {"count": 0},
        "connected_users": {"count": 0},
        "replication_failure": {"count": 0},
    }


def _database(name: str, documents: int = 0, deleted: int = 0) -> dict[str, Any]:
    sizes = {"active": 0, "file": 0}
    return {
        "name": name,
        "update_sequence": documents + deleted,
        "doc_count": documents,
        "doc_del_count": deleted,
        "fragmentation": 1.0,
        "sizes": sizes,
        "view_indexes": [{"name": name, "sizes": sizes}],
        "nouveau_indexes": [],
    }


def _messages() -> dict[str, Any]:
    return {
        "total": dict.fromkeys(OUTGOING, 0),
        "seven_days": dict.fromkeys(OUTGOING, 0),
        "last_hundred": {
            "pending": dict.fromkeys(PENDING, 0),
            "final": dict.fromkeys(("sent", "delivered", "failed"), 0),
            "muted": dict.fromkeys(MUTED, 0),
        },
    }
